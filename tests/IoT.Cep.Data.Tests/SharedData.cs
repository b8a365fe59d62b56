using System.Runtime.CompilerServices;

namespace IoT.Cep.Data.Tests;

/// <summary>Finds the recorded sensor data, by IOT_CEP_SHARED or beside the repository.</summary>
internal static class SharedData
{
    internal static string? Folder { get; } = Find();

    /// <summary>A test without its data passes over with a message; in CI the data has to be there.</summary>
    internal static bool IsMissing([CallerMemberName] string test = "")
    {
        if (Folder is not null)
        {
            return false;
        }

        Assert.False(Environment.GetEnvironmentVariable("CI") == "true", "CI needs the recorded data: set IOT_CEP_SHARED.");
        Console.WriteLine($"{test} was passed over: there is no recorded data at IOT_CEP_SHARED.");
        return true;
    }

    internal static string File(params string[] path) => Path.Combine([Folder!, "data", .. path]);

    private static string? Find()
    {
        string? folder = Environment.GetEnvironmentVariable("IOT_CEP_SHARED");
        if (string.IsNullOrEmpty(folder))
        {
            var root = new DirectoryInfo(AppContext.BaseDirectory);
            while (root is not null && !System.IO.File.Exists(Path.Combine(root.FullName, "IoT.Cep.sln")))
            {
                root = root.Parent;
            }

            folder = Path.Combine(root?.FullName ?? ".", "..", "shared");
        }

        return Directory.Exists(Path.Combine(folder, "data")) ? folder : null;
    }
}
