using System.Diagnostics;

namespace IoT.Cep.Mutations;

internal enum Outcome
{
    Passed,
    Failed,
    DoesNotCompile,
}

/// <summary>A copy of what the core's tests need, in a folder that is deleted at the end.</summary>
internal sealed class SourceCopy : IDisposable
{
    private const string Tests = "tests/IoT.Cep.Tests";
    private static readonly string[] _folders = ["src/IoT.Cep", "src/IoT.Cep.Generators", Tests];

    /// <summary>Of these, the files that stand directly in them: what the build imports.</summary>
    private static readonly string[] _parents = ["", "src", "tests", "eng"];

    private static readonly TimeSpan _longest = TimeSpan.FromMinutes(4);

    private SourceCopy(string folder) => Folder = folder;

    internal string Folder { get; }

    internal static SourceCopy Of(string root)
    {
        var copy = new SourceCopy(Directory.CreateTempSubdirectory("iot-cep-mutations").FullName);
        var files = _folders.SelectMany(f => Directory.EnumerateFiles(Path.Combine(root, f), "*", SearchOption.AllDirectories))
            .Concat(_parents.SelectMany(f => Directory.EnumerateFiles(Path.Combine(root, f))));
        foreach (string file in files)
        {
            string target = Path.Combine(copy.Folder, Path.GetRelativePath(root, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }

        return copy;
    }

    /// <summary>Builds and runs the core's tests. A run that hangs has found the fault as well.</summary>
    internal Outcome RunTests()
    {
        // Style does not matter to a fault, and a fault may make code unused.
        if (Run("build", Tests, "-c", "Release", "-v", "quiet", "--nologo", "-p:TreatWarningsAsErrors=false", "-p:RunAnalyzers=false") != 0)
        {
            return Outcome.DoesNotCompile;
        }

        // The first test that fails is enough.
        return Run("test", Tests, "-c", "Release", "--no-build", "-v", "quiet", "--nologo", "--", "xUnit.StopOnFail=true") == 0 ? Outcome.Passed : Outcome.Failed;
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    private int Run(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", arguments) { WorkingDirectory = Folder, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        process.OutputDataReceived += static (_, _) => { };
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        if (process.WaitForExit(_longest))
        {
            return process.ExitCode;
        }

        process.Kill(entireProcessTree: true);
        return 1;
    }
}
