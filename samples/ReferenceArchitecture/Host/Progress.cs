using System.Diagnostics;
using System.Globalization;

namespace IoT.Reference.Host;

/// <summary>A line of live progress, once a second: over the one before in a terminal, a line each ten seconds elsewhere.</summary>
internal static class Progress
{
    public static async Task ShowAsync(Installation installation, TextWriter output, bool isTerminal, CancellationToken stop)
    {
        using var ticks = new PeriodicTimer(TimeSpan.FromSeconds(isTerminal ? 1 : 10));
        long before = installation.Bus.Received;
        long at = Stopwatch.GetTimestamp();
        try
        {
            while (await ticks.WaitForNextTickAsync(stop))
            {
                long now = installation.Bus.Received;
                double seconds = Stopwatch.GetElapsedTime(at).TotalSeconds;
                string line = string.Create(
                    CultureInfo.InvariantCulture,
                    $"{installation.Devices?.Count ?? 0} devices  {(now - before) / seconds:0} messages/s  {installation.Analytics.Readings} readings  "
                    + $"{installation.Analytics.OpenAlerts} open alerts  {installation.Analytics.CommandsSent} commands by rules  {Process.GetCurrentProcess().WorkingSet64 >> 20} MB");
                (before, at) = (now, Stopwatch.GetTimestamp());
                if (isTerminal)
                {
                    await output.WriteAsync("\r" + line.PadRight(Math.Max(0, Console.WindowWidth - 1)));
                }
                else
                {
                    await output.WriteLineAsync(line);
                }
            }
        }
        catch (OperationCanceledException)
        {
            await output.WriteLineAsync();
        }
    }
}
