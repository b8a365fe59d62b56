using System.Globalization;
using IoT.Cep;

namespace Quickstart;

/// <summary>Shows a run as lines, for a pipe, a log or a terminal that can do no more.</summary>
public sealed class PlainView(Watch watch, Board board, ITable<string, Place> places, TimeProvider clock)
{
    private static readonly TimeSpan _every = TimeSpan.FromSeconds(2);

    private long _newsShown;
    private string? _troubleShown;

    public async Task RunAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(_every, clock);
        while (await Watch.NextAsync(timer, stop))
        {
            Write();
        }

        WriteNews();
    }

    private void Write()
    {
        WriteNews();
        var look = watch.Take();
        string hottest = string.Join(", ", board.Hottest(3).Select(s => string.Create(
            CultureInfo.InvariantCulture, $"{Board.Name(s.Sensor)} {s.Average:F1} ({Building(s.Sensor)})")));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"published {look.Totals.Published:N0} ({look.PublishedRate:N0}/s), stored {look.Totals.Stored:N0} ({look.StoredRate:N0}/s), lag {(look.Lag is { } lag ? $"{lag.TotalMilliseconds:N0} ms" : "-")}, alerts {look.Totals.Alerts:N0}, absences {look.Totals.Absences:N0}, dead letters {look.Totals.DeadLetters:N0}, hottest {(hottest.Length == 0 ? "-" : hottest)}"));
        if (look.Trouble is not null && look.Trouble != _troubleShown)
        {
            Console.WriteLine($"can't write: {look.Trouble}");
        }

        _troubleShown = look.Trouble;
    }

    private void WriteNews()
    {
        var (latest, count) = board.News();
        long unseen = count - _newsShown, skipped = unseen - latest.Count;
        _newsShown = count;
        if (skipped > 0)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  ({skipped:N0} more alerts and absences)"));
        }

        foreach (string news in latest.TakeLast((int)Math.Min(unseen, latest.Count)))
        {
            Console.WriteLine($"  {news}");
        }
    }

    private string Building(string sensor) => places.Find(sensor) is { } place ? Board.Name(place.Building) : "no place";
}
