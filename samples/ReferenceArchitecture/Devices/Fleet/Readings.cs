using System.Globalization;
using System.Text;

namespace IoT.Reference.Devices.Fleet;

/// <summary>What a simulated device measures, and how its kind writes it.</summary>
internal static class Readings
{
    /// <summary>The largest payload of an Arduino-like device.</summary>
    public const int SmallPayloadBytes = 256;

    /// <summary>A machine's temperature in degrees Celsius: a day's wave, noise of 0.3 degrees, and its fault.</summary>
    /// <param name="seed">The fleet's.</param>
    /// <param name="index">The device's place in the fleet.</param>
    /// <param name="time">The true time; the same gives the same.</param>
    /// <param name="fault">What is wrong.</param>
    /// <param name="since">For how long it has been wrong.</param>
    public static double Temperature(ulong seed, int index, DateTimeOffset time, Fault fault, TimeSpan since)
    {
        var random = new SplitMix64(seed ^ ((ulong)index << 40) ^ (ulong)time.ToUnixTimeMilliseconds());
        double wave = 3 * Math.Sin((time.TimeOfDay.TotalDays + (index * 0.137)) * Math.Tau);
        double wrong = fault switch
        {
            Fault.Drift => 0.6 * since.TotalMinutes,
            Fault.Overheating => Math.Min(60, 40 * since.TotalMinutes),
            _ => 0,
        };
        return 40 + wave + (0.3 * random.NextNormal()) + wrong;
    }

    /// <summary>A reading as the device's kind writes it.</summary>
    public static (byte[] Body, string ContentType) Write(DeviceKind kind, double celsius, DateTimeOffset time) => kind switch
    {
        DeviceKind.Pi => (Utf8($$"""[{"bt":{{Seconds(time)}},"n":"temperature","u":"Cel","v":{{Number(celsius)}}},{"n":"load","u":"/","v":{{Number(celsius / 100)}}}]"""), "application/senml+json"),
        DeviceKind.Legacy => (Utf8($$"""{"time":{{time.ToUnixTimeSeconds()}},"temperature":{{Number(celsius)}}}"""), "application/json"),
        DeviceKind.Coap => (Utf8(Number(celsius)), "text/plain"),
        _ => (Utf8($$"""{"time":{{Seconds(time)}},"temperature":{{Number(celsius)}}}"""), "application/json"),
    };

    /// <summary>A reading as the query of a controller's request.</summary>
    public static string Query(double celsius) => "temperature=" + Number(celsius);

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    private static string Number(double value) => value.ToString("0.###", CultureInfo.InvariantCulture);

    private static string Seconds(DateTimeOffset time) => (time.ToUnixTimeMilliseconds() / 1000.0).ToString("0.000", CultureInfo.InvariantCulture);
}
