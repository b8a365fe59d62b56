using System.Diagnostics;
using System.IO.Compression;
using Xunit.Abstractions;

namespace IoT.Cep.Packaging.Tests;

/// <summary>Packs the packages and uses them as a stranger does: outside the tree, from a folder, run and published as native code.</summary>
public sealed class PackagesTests(ITestOutputHelper output) : IDisposable
{
    private static readonly string[] _packages = ["IoT.Cep", "IoT.Cep.Transports", "IoT.Cep.Transports.AspNetCore", "IoT.Cep.Transports.Dtls", "IoT.Cep.Testing", "IoT.Cep.Storage.Sqlite"];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("iotcep-packages-");
    private readonly string _version = $"0.1.0-test.{Environment.ProcessId}.{Stopwatch.GetTimestamp()}";

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void The_packages_work_outside_the_tree_and_as_native_code()
    {
        Pack();
        string scratch = WriteScratch();

        Dotnet(scratch, "build", "-c", "Release", $"-p:CepVersion={_version}");
        string run = Dotnet(scratch, "run", "-c", "Release", "--no-build", $"-p:CepVersion={_version}");
        AssertRan(run);

        // Warnings of trimming and AOT analysis are errors here, also those inside the packages.
        string published = Dotnet(scratch, "publish", "-c", "Release", "-r", "linux-x64", "-o", Path.Combine(scratch, "native"), $"-p:CepVersion={_version}");
        Assert.DoesNotContain("warning", published, StringComparison.OrdinalIgnoreCase);
        AssertRan(Run(scratch, Path.Combine(scratch, "native", "Scratch")));
    }

    private static void AssertRan(string printed)
    {
        Assert.Contains("Alert { Sensor = s1, Celsius = 87 }", printed, StringComparison.Ordinal);
        Assert.Contains("sqlite summaries: Completed 6", printed, StringComparison.Ordinal);
        Assert.Contains("sqlite hot: Completed 29", printed, StringComparison.Ordinal);
    }

    private void Pack()
    {
        string root = Root();
        foreach (string package in _packages)
        {
            Dotnet(root, "pack", $"src/{package}", "-c", Configuration, "--no-build", "-o", _folder.FullName, $"-p:PackageVersion={_version}");
            using var nupkg = ZipFile.OpenRead(Path.Combine(_folder.FullName, $"{package}.{_version}.nupkg"));
            string[] entries = [.. nupkg.Entries.Select(e => e.FullName)];
            Assert.Contains("README.md", entries);
            Assert.Contains($"lib/net10.0/{package}.dll", entries);
            Assert.Contains($"lib/net10.0/{package}.xml", entries);
            Assert.True(File.Exists(Path.Combine(_folder.FullName, $"{package}.{_version}.snupkg")), "The symbols are missing.");
            Assert.Equal(package == "IoT.Cep", entries.Contains("analyzers/dotnet/cs/IoT.Cep.Generators.dll"));
        }
    }

    private string WriteScratch()
    {
        string scratch = Path.Combine(_folder.FullName, "scratch");
        Directory.CreateDirectory(scratch);
        string from = Path.Combine(AppContext.BaseDirectory, "Scratch");
        File.Copy(Path.Combine(from, "Scratch.csproj.txt"), Path.Combine(scratch, "Scratch.csproj"));
        File.Copy(Path.Combine(from, "Program.cs.txt"), Path.Combine(scratch, "Program.cs"));
        File.WriteAllText(Path.Combine(scratch, "nuget.config"), $"""
            <configuration>
              <packageSources><add key="local" value="{_folder.FullName}" /></packageSources>
            </configuration>
            """);
        return scratch;
    }

    private static string Configuration => AppContext.BaseDirectory.Contains("release", StringComparison.OrdinalIgnoreCase) ? "Release" : "Debug";

    private static string Root()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "IoT.Cep.sln")))
            {
                return folder.FullName;
            }
        }

        throw new DirectoryNotFoundException("IoT.Cep.sln was not found above the test.");
    }

    private string Dotnet(string folder, params string[] arguments) => Run(folder, "dotnet", arguments);

    private string Run(string folder, string file, params string[] arguments)
    {
        var start = new ProcessStartInfo(file, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };

        // The build that runs this test must not leak into the scratch project's.
        foreach (string name in start.Environment.Keys.Where(k => k.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase) || k == "CI").ToList())
        {
            start.Environment.Remove(name);
        }

        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        string printed = process.StandardOutput.ReadToEnd() + errors.GetAwaiter().GetResult();
        process.WaitForExit();
        output.WriteLine($"{file} {string.Join(' ', arguments)}\n{printed}");
        Assert.True(process.ExitCode == 0, $"{file} {string.Join(' ', arguments)} gave {process.ExitCode}:\n{printed}");
        return printed;
    }
}
