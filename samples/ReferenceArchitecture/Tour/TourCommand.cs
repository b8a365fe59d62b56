using System.Diagnostics;
using System.Globalization;

using IoT.Reference.Contracts;

namespace IoT.Reference.Host.Tour;

/// <summary>Starts everything in a new folder, walks through it by its public ports, checks what it sees, and says how it went.</summary>
internal static class TourCommand
{
    private static readonly LayerOption[] _options =
    [
        new("devices", "N", "how many devices there are", "66"),
        new("data", "FOLDER", "what all layers keep; by default a new folder that is deleted at the end"),
    ];

    /// <returns>0: all was as it should be. 1: something was not. 2: the command line is wrong.</returns>
    public static async Task<int> RunAsync(string[] args)
    {
        try
        {
            var given = LayerArguments.Parse(args, _options);
            string folder = given["data"] ?? Directory.CreateTempSubdirectory("iot-tour-").FullName;
            try
            {
                return await RunAsync(new HostOptions { DataFolder = folder, Port = 0, Devices = given.Number("devices"), Interval = TimeSpan.FromSeconds(2), FaultShare = 0 }, Console.Out);
            }
            finally
            {
                if (given["data"] is null)
                {
                    Directory.Delete(folder, recursive: true);
                }
            }
        }
        catch (FormatException e)
        {
            Console.Error.WriteLine(e.Message);
            return 2;
        }
    }

    /// <summary>Runs the tour over an installation of its own.</summary>
    public static async Task<int> RunAsync(HostOptions options, TextWriter output)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(10));
        await using Installation installation = await Installation.StartAsync(options, static _ => { }, patience.Token);
        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture, $"started in {installation.StartUp.TotalSeconds:0.0} s with {installation.Devices!.Count} devices; the tour goes by public ports only"));
        await using Visit visit = await Visit.BeginAsync(installation, patience.Token);
        long began = Stopwatch.GetTimestamp(), received = installation.Bus.Received;
        int failed = 0, number = 0;
        foreach ((string title, Func<Visit, Task<string>> walk) in Stations.All)
        {
            long at = Stopwatch.GetTimestamp();
            (bool isOk, string detail) = await WalkAsync(walk, visit);
            failed += isOk ? 0 : 1;
            await output.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture, $"{(isOk ? "ok    " : "FAILED")} {++number,2}. {title}: {detail} ({Stopwatch.GetElapsedTime(at).TotalMilliseconds:0} ms)"));
        }

        TimeSpan took = Stopwatch.GetElapsedTime(began);
        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"{number - failed} of {number} ok in {took.TotalSeconds:0} s; {(installation.Bus.Received - received) / took.TotalSeconds:0} messages/s, "
            + $"{Process.GetCurrentProcess().PeakWorkingSet64 >> 20} MB at most"));
        return failed == 0 ? 0 : 1;
    }

    private static async Task<(bool IsOk, string Detail)> WalkAsync(Func<Visit, Task<string>> walk, Visit visit)
    {
        try
        {
            return (true, await walk(visit));
        }
        catch (Exception e) when (e is TourException or HttpRequestException or IOException or OperationCanceledException or System.Text.Json.JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return (false, e.Message);
        }
    }
}

/// <summary>Something is not as it should be.</summary>
internal sealed class TourException(string message) : Exception(message);
