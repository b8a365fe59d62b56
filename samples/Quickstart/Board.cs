using System.Globalization;
using IoT.Cep.Extensibility;

namespace Quickstart;

/// <summary>What the queries found last, for the terminal. Called by the engine's threads and read by the view's.</summary>
public sealed class Board
{
    private const int LatestNews = 6;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Summary> _window = new(StringComparer.Ordinal);
    private readonly Queue<string> _news = new();
    private DateTimeOffset _start;
    private long _newsCount;

    public void Show(Summary summary)
    {
        lock (_gate)
        {
            if (summary.Start > _start)
            {
                _window.Clear();
                _start = summary.Start;
            }

            if (summary.Start == _start)
            {
                _window[summary.Sensor] = summary;
            }
        }
    }

    public void Show(Alert alert) => Add(string.Create(
        CultureInfo.InvariantCulture, $"{alert.HotAt:HH:mm:ss} {Name(alert.Sensor)} overheats: {alert.Temperature:F1}, {(alert.HotAt - alert.WarmAt).TotalSeconds:0.#} s after it was warm"));

    public void Show(Absence absence) => Add(string.Create(
        CultureInfo.InvariantCulture, $"{absence.Since:HH:mm:ss} {Name(absence.Sensor)} was last heard of"));

    /// <summary>The sensors of the latest window with the highest average.</summary>
    public IReadOnlyList<Summary> Hottest(int count)
    {
        lock (_gate)
        {
            return [.. _window.Values.OrderByDescending(s => s.Average).ThenBy(s => s.Sensor, StringComparer.Ordinal).Take(count)];
        }
    }

    /// <summary>The latest alerts and absences, oldest first, and how many there were in all.</summary>
    public (IReadOnlyList<string> Latest, long Count) News()
    {
        lock (_gate)
        {
            return ([.. _news], _newsCount);
        }
    }

    /// <summary>A sensor's name as it can be shown: a device may call itself anything.</summary>
    public static string Name(string sensor) => SafeText.Escape(sensor, 32);

    private void Add(string news)
    {
        lock (_gate)
        {
            _newsCount++;
            _news.Enqueue(news);
            if (_news.Count > LatestNews)
            {
                _news.Dequeue();
            }
        }
    }
}
