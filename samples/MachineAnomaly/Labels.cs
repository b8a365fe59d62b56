using System.Globalization;
using System.Text.Json;

namespace MachineAnomaly;

/// <summary>A time in which people who know the machine saw an anomaly.</summary>
internal sealed record Label(DateTimeOffset Start, DateTimeOffset End);

internal static class Labels
{
    /// <summary>The labels of one recording; none where the file does not name it.</summary>
    internal static IReadOnlyList<Label> Read(string file, string recording)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(file));
        return document.RootElement.TryGetProperty(recording, out var windows)
            ? [.. windows.EnumerateArray().Select(w => new Label(TimeOf(w[0]), TimeOf(w[1])))]
            : [];
    }

    private static DateTimeOffset TimeOf(JsonElement time) =>
        DateTimeOffset.Parse(time.GetString()!, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
}
