namespace IoT.Cep.Tests.Surroundings;

/// <summary>
/// What a machine may lack. Without it the tests that need it are reported as skipped, with the reason; in CI (CI=true) nothing is skipped, and they fail.
/// </summary>
internal static class Needs
{
    private static readonly string? _mosquitto =
        new[] { "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/opt/homebrew/sbin/mosquitto" }.FirstOrDefault(File.Exists);

    private static readonly string _shared =
        Environment.GetEnvironmentVariable("IOT_CEP_SHARED") is { Length: > 0 } given ? given : Path.Combine(Root(), "..", "shared");

    private static readonly string _data = Path.Combine(_shared, "data");

    private static readonly bool _python = IsOnPath("python3");

    internal static string? WithoutLibcoap => Skip(File.Exists("/usr/bin/coap-client-openssl"), "libcoap's programs (libcoap3-bin) are not installed.");

    internal static string? WithoutMosquitto => Skip(_mosquitto is not null, "mosquitto is not installed.");

    internal static string? WithoutOpenssl => Skip(IsOnPath("openssl"), "openssl is not installed.");

    internal static string? WithoutCurl => Skip(IsOnPath("curl"), "curl is not installed.");

    internal static string? WithoutNode => Skip(IsOnPath("node"), "node is not installed.");

    internal static string? WithoutData => Skip(Directory.Exists(_data), $"There are no recorded data at {_data}: set IOT_CEP_SHARED to the folder that holds data.");

    internal static string? WithoutCases => Skip(Directory.Exists(Cases), $"There are no pattern-matching cases at {Cases}: set IOT_CEP_CASES to the folder that holds them.");

    internal static string? WithoutPython => WithoutCases ?? (_python ? null : "python3, which runs the cases' reference, is not installed.");

    /// <summary>The folder of pattern-matching cases.</summary>
    internal static string Cases { get; } =
        Environment.GetEnvironmentVariable("IOT_CEP_CASES") is { Length: > 0 } cases ? cases : Path.Combine(_shared, "conformance");

    /// <summary>The broker's program.</summary>
    internal static string Mosquitto => _mosquitto ?? throw new FileNotFoundException("mosquitto is not installed.");

    /// <summary>A recorded file.</summary>
    internal static string Data(params string[] path)
    {
        string file = Path.Combine([_data, .. path]);
        return File.Exists(file) ? file : throw new FileNotFoundException($"There is no {file}: set IOT_CEP_SHARED to the folder that holds the recorded data.");
    }

    private static bool IsOnPath(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(
        folder => File.Exists(Path.Combine(folder, program)) || File.Exists(Path.Combine(folder, program + ".exe")));

    private static string? Skip(bool isThere, string reason) => isThere || Environment.GetEnvironmentVariable("CI") == "true" ? null : reason;

    private static string Root()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "IoT.Cep.sln")))
        {
            root = root.Parent;
        }

        return root?.FullName ?? ".";
    }
}

/// <summary>A test against a real mosquitto.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class MosquittoFactAttribute : FactAttribute
{
    public MosquittoFactAttribute() => Skip = Needs.WithoutMosquitto;
}

/// <summary>A test against libcoap's own client and server.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class LibcoapFactAttribute : FactAttribute
{
    public LibcoapFactAttribute() => Skip = Needs.WithoutLibcoap;
}

/// <summary>Tests against libcoap's own client and server.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class LibcoapTheoryAttribute : TheoryAttribute
{
    public LibcoapTheoryAttribute() => Skip = Needs.WithoutLibcoap;
}

/// <summary>A test over the recorded sensor data.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class DataFactAttribute : FactAttribute
{
    public DataFactAttribute() => Skip = Needs.WithoutData;
}

/// <summary>Tests over the recorded sensor data.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class DataTheoryAttribute : TheoryAttribute
{
    public DataTheoryAttribute() => Skip = Needs.WithoutData;
}

/// <summary>A test that sends the recorded sensor data through a real mosquitto.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class MosquittoDataFactAttribute : FactAttribute
{
    public MosquittoDataFactAttribute() => Skip = Needs.WithoutMosquitto ?? Needs.WithoutData;
}

/// <summary>A test over the pattern-matching cases.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class CasesFactAttribute : FactAttribute
{
    public CasesFactAttribute() => Skip = Needs.WithoutCases;
}

/// <summary>A test against the reference of the pattern-matching cases, which python3 runs.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class ReferenceFactAttribute : FactAttribute
{
    public ReferenceFactAttribute() => Skip = Needs.WithoutPython;
}

/// <summary>A test with curl as the client.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class CurlFactAttribute : FactAttribute
{
    public CurlFactAttribute() => Skip = Needs.WithoutCurl;
}

/// <summary>A test with a program of node as the client.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class NodeFactAttribute : FactAttribute
{
    public NodeFactAttribute() => Skip = Needs.WithoutNode;
}
