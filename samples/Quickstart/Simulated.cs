using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Quickstart;

/// <summary>
/// Simulated sensors, the same at each run: days of a minute, one sensor in 25 that overheats again and again, and one that
/// falls silent. Every second sensor speaks SenML (RFC 8428), the others JSON.
/// </summary>
public sealed class Simulated
{
    public const double WarmAbove = 70, HotAbove = 85;

    private const int OneOverheatsIn = 25;
    private const double SilentAfterSeconds = 2, OverheatsAtSecond = 3, OverheatsForSeconds = 6, OverheatsEverySeconds = 30, DaySeconds = 60;

    private static readonly string[] _buildings = ["north wing", "south wing", "foundry", "greenhouse", "data center"];
    private static readonly string[] _kinds = ["thermistor", "infrared", "digital"];

    private readonly string[] _names;
    private readonly bool[] _isHot;
    private readonly double _rate;
    private readonly Random _random = new(20_150_201);

    /// <param name="names">The sensors' names.</param>
    /// <param name="rate">Readings a second, of all together.</param>
    public Simulated(string[] names, double rate)
    {
        _names = names;
        _rate = rate;
        _isHot = new bool[names.Length];
    }

    public static string[] Names(int count) => [.. Enumerable.Range(1, count).Select(i => string.Create(CultureInfo.InvariantCulture, $"sensor-{i:000}"))];

    public static IEnumerable<KeyValuePair<string, Place>> PlacesOf(string[] names) => names.Select((name, i) =>
        KeyValuePair.Create(name, new Place(_buildings[i % _buildings.Length], _kinds[i % _kinds.Length])));

    /// <summary>Readings without end, one sensor after the other.</summary>
    /// <param name="start">The first one's time.</param>
    /// <param name="elapsed">
    /// The time since then. A reading's time is when it is due; where the broker does not take so many, the sensors measure less often.
    /// </param>
    public IEnumerable<Message> Messages(DateTimeOffset start, Func<TimeSpan> elapsed)
    {
        for (long i = 0; ; i++)
        {
            int sensor = (int)(i % _names.Length);
            var due = TimeSpan.FromSeconds(i / _rate);
            double second = Math.Max(due.TotalSeconds, elapsed().TotalSeconds);
            if (IsSilent(sensor, second))
            {
                continue;
            }

            var time = start + TimeSpan.FromSeconds(second);
            double temperature = Math.Round(Temperature(sensor, second), 2), humidity = Math.Round(45 + (10 * _random.NextDouble()), 1);
            yield return sensor % 2 == 0
                ? new Message(Message.TopicOf(_names[sensor], "senml"), SenMl(_names[sensor], time, temperature, humidity), due)
                : new Message(Message.TopicOf(_names[sensor], "json"), Json(_names[sensor], time, temperature, humidity), due);
        }
    }

    private bool IsSilent(int sensor, double second) => _names.Length > 1 && sensor == _names.Length - 1 && second >= SilentAfterSeconds;

    private double Temperature(int sensor, double second)
    {
        // The second sensor and each 25th after it; a sensor on its own overheats as well.
        if (sensor % OneOverheatsIn == Math.Min(1, _names.Length - 1))
        {
            double delay = sensor / OneOverheatsIn % 10;
            double within = (second - delay) % OverheatsEverySeconds;
            bool overheats = within >= OverheatsAtSecond && within < OverheatsAtSecond + OverheatsForSeconds;
            bool wasHot = _isHot[sensor];
            _isHot[sensor] = overheats;
            if (overheats)
            {
                // One reading on the way up, then the heat.
                return wasHot ? HotAbove + 5 + (5 * _random.NextDouble()) : WarmAbove + 5;
            }
        }

        double day = Math.Sin(2 * Math.PI * ((second / DaySeconds) + ((double)sensor / _names.Length)));
        return 20 + (8 * day) + (2 * _random.NextDouble());
    }

    private static byte[] SenMl(string name, DateTimeOffset time, double temperature, double humidity)
    {
        string bn = JsonEncodedText.Encode(name).ToString();
        double bt = time.ToUnixTimeMilliseconds() / 1000.0;
        return Encoding.UTF8.GetBytes(string.Create(
            CultureInfo.InvariantCulture,
            $$"""[{"bn":"{{bn}}/","bt":{{bt:F3}},"n":"temperature","u":"Cel","v":{{temperature}}},{"n":"humidity","u":"%RH","v":{{humidity}}}]"""));
    }

    private static byte[] Json(string name, DateTimeOffset time, double temperature, double humidity) =>
        JsonSerializer.SerializeToUtf8Bytes(new Reading(time, name, temperature, humidity), JsonSerializerOptions.Web);
}
