namespace IoT.Cep.Quickstart.Tests;

/// <summary>What a machine may lack. A test then says so and passes over; in CI everything has to be there.</summary>
internal static class Surroundings
{
    private static readonly bool _isCi = Environment.GetEnvironmentVariable("CI") == "true";

    private static readonly string[] _mosquittoPaths = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/opt/homebrew/sbin/mosquitto"];

    /// <summary>A recorded file, by IOT_CEP_SHARED or beside the repository.</summary>
    internal static string? Data(params string[] path)
    {
        string? shared = Environment.GetEnvironmentVariable("IOT_CEP_SHARED");
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (root.Parent is not null && !File.Exists(Path.Combine(root.FullName, "IoT.Cep.sln")))
        {
            root = root.Parent;
        }

        string file = Path.Combine([string.IsNullOrEmpty(shared) ? Path.Combine(root.FullName, "..", "shared") : shared, "data", .. path]);
        return File.Exists(file) ? file : Missing($"the recorded data {file} (set IOT_CEP_SHARED)");
    }

    internal static string? MosquittoPath() =>
        _mosquittoPaths.FirstOrDefault(File.Exists) ?? Missing("mosquitto");

    private static string? Missing(string what)
    {
        Assert.False(_isCi, $"CI needs {what}.");
        Console.WriteLine($"Passed over: there is no {what}.");
        return null;
    }
}
