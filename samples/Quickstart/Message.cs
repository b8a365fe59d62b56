namespace Quickstart;

/// <summary>A message to publish.</summary>
/// <param name="Topic">Its topic below the run's own: <c>sensor-7/senml</c>.</param>
/// <param name="Payload">Its payload.</param>
/// <param name="Due">When, from the start; zero or past: as soon as the broker accepts it.</param>
public readonly record struct Message(string Topic, ReadOnlyMemory<byte> Payload, TimeSpan Due)
{
    // A name is what a device says it is: far below MQTT's limit for topics, and far above any honest name.
    private const int MaxNameLength = 128;

    /// <summary>A device's name as one level of a topic: all but letters, digits and <c>-._~</c> becomes <c>%2F</c> and the like.</summary>
    public static string TopicOf(string sensor, string format)
    {
        string name = sensor.Length > MaxNameLength ? sensor[..MaxNameLength] : sensor;
        return $"{(name.Length == 0 ? "unnamed" : Uri.EscapeDataString(name))}/{format}";
    }
}
