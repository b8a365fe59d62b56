using System.Globalization;
using Microsoft.Data.Sqlite;

namespace IoT.Cep.Quickstart.Tests;

public class QuickstartTests
{
    [Fact]
    public async Task Simulated_sensors_show_windows_an_alert_and_an_absence()
    {
        await using var run = Run.Start("--duration", "10", "--sensors", "50", "--rate", "500");
        var totals = await run.TotalsAsync();
        Assert.True(totals["stored"] > 1_000, run.Output);
        Assert.True(totals["summaries"] >= 100, run.Output);
        Assert.True(totals["alerts"] >= 1, run.Output);
        Assert.True(totals["absences"] >= 1, run.Output);
        Assert.Equal(50, run.Query("SELECT count(DISTINCT sensor) FROM readings WHERE building IS NOT NULL"));
        Assert.Equal(0, totals["deadLetters"]);
    }

    [DataFact]
    public async Task City_recording_is_counted_enriched_and_stored_whole()
    {
        string file = Needs.Data("city", "readings.senml.csv");
        await using var run = Run.Start("--data", file);
        await CheckCityAsync(run);
    }

    [MosquittoDataFact]
    public async Task City_recording_comes_through_an_outside_broker()
    {
        string file = Needs.Data("city", "readings.senml.csv");
        var folder = Directory.CreateTempSubdirectory("mosquitto");
        await using var broker = await Mosquitto.StartAsync(Needs.Mosquitto, folder.FullName);
        await using var run = Run.Start("--data", file, "--broker", $"127.0.0.1:{broker.Port}");
        await CheckCityAsync(run);
        folder.Delete(recursive: true);
    }

    [MosquittoFact]
    public async Task Connections_that_are_cut_lose_nothing_and_the_totals_add_up()
    {
        var folder = Directory.CreateTempSubdirectory("mosquitto");
        await using var broker = await Mosquitto.StartAsync(Needs.Mosquitto, folder.FullName);
        await using var cable = new CuttableProxy(broker.Port);
        await using var run = Run.Start("--broker", $"127.0.0.1:{cable.Port}", "--rate", "3000", "--duration", "12");
        for (int i = 0; i < 3; i++)
        {
            // In the middle of three thousand readings a second: some are always delivered and not yet committed.
            await run.GoesOnAsync();
            await run.GoesOnAsync();
            cable.Cut();
        }

        var totals = await run.TotalsAsync();
        Assert.True(totals["duplicates"] > 0, run.Output);
        Assert.Contains("sent again", run.Output, StringComparison.Ordinal);
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Broker_that_goes_away_for_good_ends_the_run()
    {
        var broker = await LossyBroker.StartAsync(losesOneIn: int.MaxValue);
        await using var run = Run.Start("--broker", $"127.0.0.1:{broker.Port}", "--rate", "1000", "--duration", "3");
        await run.PublishesAsync();
        await broker.DisposeAsync();
        Assert.Equal(1, await run.ExitAsync());
        Assert.Contains("the broker is away", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Readings_that_an_outside_broker_loses_are_told()
    {
        string file = Path.Combine(Directory.CreateTempSubdirectory("data").FullName, "rows.csv");
        await File.WriteAllLinesAsync(file, Enumerable.Range(0, 100).Select(i => $"2026-01-01 00:{i / 60:00}:{i % 60:00},{i}").Prepend("timestamp,value"));
        await using var broker = await LossyBroker.StartAsync(losesOneIn: 10);
        await using var run = Run.Start("--data", file, "--broker", $"127.0.0.1:{broker.Port}");
        Assert.Equal(3, await run.ExitAsync());
        var totals = run.Summary();
        Assert.Equal((100, 90, 90), (totals["published"], totals["received"], totals["stored"]));
        Assert.Contains("acknowledged 10 readings and did not deliver them", run.Output, StringComparison.Ordinal);
    }

    [DataFact]
    public async Task Machine_recording_gives_the_alerts_that_a_slow_reading_of_the_file_gives()
    {
        string file = Needs.Data("machine", "machine-temperature.csv");
        await using var run = Run.Start("--data", file);
        var totals = await run.TotalsAsync();
        Assert.Equal(22_695, totals["received"]);
        Assert.Equal(22_695, totals["stored"]);

        var rows = File.ReadLines(file).Skip(1).Select(line => line.Split(',')).Select(cells => (
                Time: DateTime.Parse(cells[0], CultureInfo.InvariantCulture), Value: double.Parse(cells[1], CultureInfo.InvariantCulture)))
            .OrderBy(row => row.Time).ToList();
        Assert.Equal(rows.DistinctBy(row => (row.Time.Date, row.Time.Hour)).Count(), totals["summaries"]);
        int alerts = Enumerable.Range(0, rows.Count).Count(i => rows[i].Value is > 95 and <= 100 && rows.Skip(i + 1)
            .TakeWhile(row => row.Time < rows[i].Time.AddHours(1)).Any(row => row.Value > 100));
        Assert.Equal(alerts, totals["alerts"]);
    }

    [Fact]
    public async Task What_cannot_be_read_is_a_dead_letter_and_the_totals_add_up()
    {
        string file = Path.Combine(Directory.CreateTempSubdirectory("data").FullName, "[red]mad\u001b.csv");
        await File.WriteAllTextAsync(file, "timestamp,value\n2026-01-01 00:00:00,1\nno reading\n2026-01-01 00:05:00,2\n2026-01-01 00:10:00,NaN\n");
        await using var run = Run.Start("--data", file);
        var totals = await run.TotalsAsync();
        Assert.Equal((4, 2, 2), (totals["received"], totals["stored"], totals["deadLetters"]));
        Assert.DoesNotContain('\u001b', run.Output);
    }

    [Fact]
    public async Task Interrupt_finishes_what_was_accepted()
    {
        await using var run = Run.Start("--rate", "3000");
        await run.PublishesAsync();
        await run.InterruptAsync();
        var totals = await run.TotalsAsync();
        Assert.True(totals["stored"] > 0, run.Output);
    }

    [Fact]
    public async Task Help_names_every_option()
    {
        await using var run = Run.StartBare("--help");
        Assert.Equal(0, await run.ExitAsync());
        foreach (string option in new[] { "duration", "sensors", "rate", "speed", "metadata", "data", "broker", "database", "summary" })
        {
            Assert.Contains($"--{option} ", run.Output, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("--sesnors", "--sesnors")]
    [InlineData("--duration", "--duration", "-1")]
    [InlineData("--sensors", "--sensors", "many")]
    [InlineData("--rate", "--rate")]
    [InlineData("HOST:PORT", "--broker", "localhost")]
    [InlineData("no such file", "--data", "nowhere.csv")]
    [InlineData("--speed", "--speed", "2")]
    public async Task Misuse_is_told_by_its_name(string expected, params string[] args)
    {
        await using var run = Run.StartBare(args);
        Assert.Equal(2, await run.ExitAsync());
        Assert.Contains(expected, run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Metadata_that_cannot_be_read_is_told_with_its_line()
    {
        string file = Path.Combine(Directory.CreateTempSubdirectory("data").FullName, "places.txt");
        await File.WriteAllTextAsync(file, "s1:tower,analog\ns2 tower\n");
        await using var run = Run.StartBare("--metadata", file);
        Assert.Equal(2, await run.ExitAsync());
        Assert.Contains("line 2", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Broker_that_does_not_answer_is_told()
    {
        await using var run = Run.StartBare("--broker", "127.0.0.1:1");
        Assert.Equal(1, await run.ExitAsync());
        Assert.Contains("127.0.0.1:1", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Table_of_another_layout_is_told()
    {
        string file = Path.Combine(Directory.CreateTempSubdirectory("data").FullName, "other.db");
        await using (var other = new SqliteConnection($"Data Source={file};Pooling=False"))
        {
            await other.OpenAsync();
            await using var create = other.CreateCommand();
            create.CommandText = "CREATE TABLE readings (something TEXT)";
            await create.ExecuteNonQueryAsync();
        }

        await using var run = Run.StartBare("--database", file, "--duration", "1");
        Assert.Equal(1, await run.ExitAsync());
        Assert.Contains("ALTER TABLE", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task File_that_is_no_database_is_told()
    {
        string file = Path.Combine(Directory.CreateTempSubdirectory("data").FullName, "text.db");
        await File.WriteAllTextAsync(file, new string('x', 5_000));
        await using var run = Run.StartBare("--database", file);
        Assert.Equal(1, await run.ExitAsync());
        Assert.Contains("not a database", run.Output, StringComparison.Ordinal);
    }

    private static async Task CheckCityAsync(Run run)
    {
        var totals = await run.TotalsAsync();
        Assert.Equal((1_000, 1_000, 0), (totals["received"], totals["stored"], totals["deadLetters"]));
        Assert.Equal(788, run.Query("SELECT count(DISTINCT sensor) FROM readings"));
        Assert.Equal(1_000, run.Query("SELECT count(*) FROM readings WHERE building <> '' AND kind <> ''"));
        Assert.Equal(1_000, run.Query("SELECT sum(count) FROM summaries"));
    }
}
