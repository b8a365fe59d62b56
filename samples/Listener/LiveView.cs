using System.Globalization;
using IoT.Cep.Extensibility;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Listener;

/// <summary>Shows the latest values in a terminal. All text from devices goes through SafeText and Markup.Escape.</summary>
public sealed class LiveView(Output output, TimeProvider clock)
{
    private const int FixedLines = 8;

    private static readonly TimeSpan _every = TimeSpan.FromMilliseconds(250);

    public Task RunAsync(CancellationToken stop) => AnsiConsole.Live(Draw()).StartAsync(async live =>
    {
        using var timer = new PeriodicTimer(_every, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
            {
                live.UpdateTarget(Draw());
                live.Refresh();
            }
        }
        catch (OperationCanceledException)
        {
            live.UpdateTarget(Draw());
        }
    });

    private static string Safe(string? text, int most) => Markup.Escape(SafeText.Escape(text, most));

    private Rows Draw()
    {
        var table = new Table().Border(TableBorder.Rounded).Expand();
        table.AddColumns("transport", "sensor", "name", "value", "time", "times");
        foreach (var seen in output.Latest(Math.Max(3, AnsiConsole.Profile.Height - FixedLines)))
        {
            var m = seen.Latest;
            string value = m.Number?.ToString("R", CultureInfo.InvariantCulture) ?? m.Boolean?.ToString() ?? m.Text ?? "";
            table.AddRow(
                seen.Transport, Safe(m.Sensor, 40), Safe(m.Name, 40), Safe(m.Unit is null ? value : $"{value} {m.Unit}", 40),
                m.Time.ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture), seen.Times.ToString("N0", CultureInfo.InvariantCulture));
        }

        var rows = new List<IRenderable>
        {
            table, new Markup(string.Create(CultureInfo.InvariantCulture, $"{output.Values:N0} values, {output.DeadLetters:N0} dead letters; Ctrl-C ends")),
        };
        if (output.LastDeadLetter is { } letter)
        {
            rows.Add(new Markup($"[red]{Safe(letter, 200)}[/]"));
        }

        return new Rows(rows);
    }
}
