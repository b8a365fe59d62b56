using System.Globalization;
using IoT.Cep;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Quickstart;

/// <summary>Shows a run as a live table. All text from outside goes through SafeText and Markup.Escape.</summary>
public sealed class TerminalView(Watch watch, Board board, ITable<string, Place> places, string title, TimeProvider clock)
{
    // What the tables need beside their rows, and the line below them.
    private const int FixedLines = 17, MostLines = 6;

    private static readonly TimeSpan _every = TimeSpan.FromMilliseconds(500);

    public Task RunAsync(CancellationToken stop) => AnsiConsole.Live(Draw()).StartAsync(async live =>
    {
        using var timer = new PeriodicTimer(_every, clock);
        while (await Watch.NextAsync(timer, stop))
        {
            live.UpdateTarget(Draw());
            live.Refresh();
        }

        live.UpdateTarget(Draw());
    });

    /// <summary>Rows for each list: a low terminal has fewer, so that nothing scrolls away.</summary>
    private static int Lines => Math.Clamp((AnsiConsole.Profile.Height - FixedLines) / 2, 1, MostLines);

    private static Table NewTable(string title) => new Table().Border(TableBorder.Rounded).Expand().Title(Markup.Escape(title));

    private static string Number(double number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private Rows Draw()
    {
        var look = watch.Take();
        var rows = new List<IRenderable> { Counters(look), Hottest(), News() };
        if (look.Trouble is not null)
        {
            rows.Add(new Markup($"[red]can't write: {Markup.Escape(look.Trouble)}[/]"));
        }

        return new Rows(rows);
    }

    private Table Counters(Look look)
    {
        var table = NewTable(title);
        table.AddColumns("published", "received", "stored", "dead letters", "summaries", "alerts", "absences", "lag");
        bool narrow = AnsiConsole.Profile.Width < 100;
        foreach (var column in table.Columns)
        {
            column.RightAligned().Padding(narrow ? 0 : 1, narrow ? 0 : 1);
        }

        var totals = look.Totals;
        table.AddRow(
            Number(totals.Published), Number(totals.Received), Number(totals.Stored), Number(totals.DeadLetters),
            Number(totals.Summaries), Number(totals.Alerts), Number(totals.Absences), look.Lag is { } lag ? $"{Number(lag.TotalMilliseconds)} ms" : "-");
        table.AddRow($"{Number(look.PublishedRate)}/s", "", $"{Number(look.StoredRate)}/s");
        return table.Caption(look.EventTime is { } time
            ? string.Create(CultureInfo.InvariantCulture, $"event time {time:yyyy-MM-dd HH:mm:ss} UTC, Ctrl-C ends")
            : "no reading yet, Ctrl-C ends");
    }

    private Table Hottest()
    {
        var table = NewTable("hottest sensors of the latest window");
        table.AddColumns("sensor", "building", "average", "max", "readings");
        foreach (var column in table.Columns.Skip(2))
        {
            column.RightAligned();
        }

        var hottest = board.Hottest(Lines);
        foreach (var s in hottest)
        {
            string building = places.Find(s.Sensor) is { } place ? Board.Name(place.Building) : "no place";
            table.AddRow(
                Markup.Escape(Board.Name(s.Sensor)), Markup.Escape(building), s.Average.ToString("F1", CultureInfo.InvariantCulture),
                s.Max.ToString("F1", CultureInfo.InvariantCulture), Number(s.Count));
        }

        return Filled(table, hottest.Count);
    }

    private Table News()
    {
        var (latest, count) = board.News();
        var table = NewTable(string.Create(CultureInfo.InvariantCulture, $"alerts and absences, {count:N0} in all")).HideHeaders();
        table.AddColumn("");
        foreach (string news in latest.TakeLast(Lines))
        {
            table.AddRow(Markup.Escape(news));
        }

        return Filled(table, latest.Count);
    }

    // Empty rows keep the tables from jumping.
    private static Table Filled(Table table, int rows)
    {
        for (; rows < Lines; rows++)
        {
            table.AddEmptyRow();
        }

        return table;
    }
}
