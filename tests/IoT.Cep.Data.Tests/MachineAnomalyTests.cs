using System.Diagnostics;

namespace IoT.Cep.Data.Tests;

/// <summary>The sample as its user runs it: a process of its own.</summary>
public sealed class MachineAnomalyTests
{
    [DataFact]
    [Trait("Requirement", "R18")]
    public async Task All_four_labelled_windows_are_hit_with_a_false_alarm_in_about_four_weeks()
    {
        var (exitCode, printed, _) = await RunAsync(
            "--data", Needs.Data("machine", "machine-temperature.csv"), "--labels", Needs.Data("machine", "anomaly-windows.json"));
        Assert.Equal(0, exitCode);
        Assert.Contains("22,695 readings, 2013-12-02 to 2014-02-19 (11.3 weeks); threshold 3 standard deviations", printed, StringComparison.Ordinal);
        Assert.Contains("in the labelled window from 12-15 17:50 to 12-17 17:00", printed, StringComparison.Ordinal);
        Assert.Contains("hit 4 of 4 labelled windows, 3 false alarms (0.27 a week)", printed, StringComparison.Ordinal);
    }

    [DataFact]
    public async Task A_recording_that_the_query_was_not_written_for_follows_with_what_it_misses()
    {
        string machine = Needs.Data("machine", "machine-temperature.csv"), ambient = Needs.Data("machine", "ambient-temperature.csv");
        var (exitCode, printed, _) = await RunAsync("--data", machine, "--data", ambient);
        Assert.Equal(0, exitCode);
        Assert.Contains("hit 4 of 4 labelled windows, 3 false alarms (0.27 a week)", printed, StringComparison.Ordinal);
        Assert.Contains("ambient-temperature.csv: 7,267 readings, 2013-07-04 to 2014-05-28 (46.9 weeks); threshold 3 standard deviations", printed, StringComparison.Ordinal);
        Assert.Contains("in the labelled window from 12-15 07:00 to 12-30 09:00", printed, StringComparison.Ordinal);
        Assert.Contains("missed: the labelled window from 2014-03-29 15:00 to 2014-04-20 22:00", printed, StringComparison.Ordinal);
        Assert.EndsWith("hit 1 of 2 labelled windows, 2 false alarms (0.04 a week)", printed.TrimEnd(), StringComparison.Ordinal);
        Assert.Equal(printed, (await RunAsync()).Printed);
    }

    [DataFact]
    public async Task A_higher_threshold_misses_some_and_says_which()
    {
        var (_, printed, _) = await RunAsync(
            "--data", Needs.Data("machine", "machine-temperature.csv"), "--labels", Needs.Data("machine", "anomaly-windows.json"), "--threshold", "4");
        Assert.Contains("missed: the labelled window from", printed, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--threshold", "many")]
    [InlineData("--data", "there-is-no-such-file.csv")]
    [InlineData("--what")]
    public async Task Misuse_is_told_by_its_name(params string[] args)
    {
        var (exitCode, _, told) = await RunAsync(args);
        Assert.Equal(2, exitCode);
        Assert.Contains(args[^1], told, StringComparison.Ordinal);
    }

    private static async Task<(int ExitCode, string Printed, string Told)> RunAsync(params string[] args)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "machine-anomaly.dll"), .. args])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (args.Length == 0)
        {
            // Its own default: both recordings in the folder that the tests use.
            start.Environment["IOT_CEP_SHARED"] = Path.GetFullPath(Path.Combine(Needs.Data("machine", "machine-temperature.csv"), "..", "..", ".."));
        }

        using var process = Process.Start(start)!;
        var printed = process.StandardOutput.ReadToEndAsync();
        var told = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await printed, await told);
    }
}
