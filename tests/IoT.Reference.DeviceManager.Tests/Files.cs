using System.Text;

namespace IoT.Reference.DeviceManager.Tests;

internal static class Files
{
    /// <summary>Whether a text stands anywhere in a file.</summary>
    public static bool Contain(string file, string text) => File.ReadAllBytes(file).AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)) >= 0;
}
