using System.Diagnostics;

namespace IoT.Reference.Portal;

/// <summary>Programs of others that tests run, with their output; ended with the test.</summary>
internal static class Programs
{
    internal static string Root { get; } = FindRoot();

    internal static string Folder { get; } = Path.Combine(Root, "tests", "IoT.Reference.Portal.Tests", "browser");

    internal static string Clients { get; } = Path.Combine(Root, "samples", "ReferenceArchitecture", "Portal", "clients");

    internal static async Task<string> RunAsync(
        string program, IEnumerable<string> arguments, string? folder = null, IReadOnlyDictionary<string, string>? variables = null, Action<string>? line = null)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder ?? Root };
        foreach (var (name, value) in variables ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var output = new System.Text.StringBuilder();
        var gate = new Lock();
        void Keep(object sender, DataReceivedEventArgs e)
        {
            if (e.Data is not null)
            {
                lock (gate)
                {
                    output.AppendLine(e.Data);
                }

                line?.Invoke(e.Data);
            }
        }

        process.OutputDataReceived += Keep;
        process.ErrorDataReceived += Keep;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5), TimeProvider.System);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }

        lock (gate)
        {
            return process.ExitCode == 0 ? output.ToString() : throw new InvalidOperationException($"{program} ended with {process.ExitCode}:\n{output}");
        }
    }

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "IoT.Cep.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new DirectoryNotFoundException("The tests run inside the repository.");
    }
}

/// <summary>What a machine may lack: a test that needs it is skipped with the reason, except in CI.</summary>
internal static class NeedsHere
{
    private static readonly string[] _browsers = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/snap/bin/chromium"];

    internal static string? Chromium { get; } =
        Environment.GetEnvironmentVariable("CHROMIUM") is { Length: > 0 } given ? given : _browsers.FirstOrDefault(File.Exists);

    internal static string? WithoutBrowser => Needs.WithoutNode ?? Skip(Chromium is not null, "Chromium is not installed (or name it by CHROMIUM).") ?? Skip(OnPath("npm"), "npm is not installed.");

    internal static string? WithoutPython => Skip(OnPath("python3"), "python3 is not installed.");

    private static bool OnPath(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(
        folder => File.Exists(Path.Combine(folder, program)) || File.Exists(Path.Combine(folder, program + ".exe")));

    private static string? Skip(bool isThere, string reason) => isThere || Environment.GetEnvironmentVariable("CI") == "true" ? null : reason;
}

/// <summary>A test in a real Chromium.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class BrowserFactAttribute : FactAttribute
{
    public BrowserFactAttribute() => Skip = NeedsHere.WithoutBrowser;
}

/// <summary>A test with a program of python3 as the client.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PythonFactAttribute : FactAttribute
{
    public PythonFactAttribute() => Skip = NeedsHere.WithoutPython;
}
