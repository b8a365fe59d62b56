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
        CultureInfo.InvariantCulture,
        $"{At(alert.HotAt)} {Name(alert.Sensor)} overheats: {alert.Temperature:F1}, {Span(alert.HotAt - alert.WarmAt)} after it was warm"));

    public void Show(Absence absence) => Add($"{At(absence.Since)} {Name(absence.Sensor)} spoke last, and is silent");

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

    private static string At(DateTimeOffset time) => time.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    private static string Span(TimeSpan span) => span < TimeSpan.FromMinutes(1)
        ? string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0.##} s")
        : string.Create(CultureInfo.InvariantCulture, $"{span.TotalMinutes:0.#} min");

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
