using System.Diagnostics;
using System.Globalization;

namespace IoT.Cep.EndToEnd.Tests;

/// <summary>The whole path over real TCP and a real broker: from a device's message to a row in the database.</summary>
public sealed class MosquittoTests
{
    [MosquittoFact]
    public async Task Readings_become_rows_windows_alerts_and_silences()
    {
        await using var broker = await Mosquitto.StartAsync();
        using var database = new Database();
        await using var engine = Consumer.Make(broker.Port, database.File);
        await engine.StartAsync();
        await Until.True(() => engine.Sources[0].IsConnected, "the source is connected");
        await using var publisher = new Publisher(broker.Port);
        for (int i = 0; i < 1_000; i++)
        {
            await publisher.PublishAsync(i);
        }

        await publisher.PublishAsync("city/s1/json", "{\"time\":\"20"u8.ToArray());
        await publisher.PublishAsync("city/s1/xml", "<reading/>"u8.ToArray());
        await Until.True(() => engine.Sources[0].Received == 1_002, "all was received");
        await engine.DrainAsync();

        AssertTotals(engine, database, readings: 1_000, deadLetters: 2);
        Assert.Equal(1_000L, database.Query("select sum(count) from summaries")[0][0]);

        // Every sensor warms from 71 on by 10 a second: each reading above 70 that has one 15 higher behind it.
        Assert.Equal(909, database.Count("alerts"));
    }

    [MosquittoFact]
    public async Task A_consumer_that_is_killed_loses_nothing_that_it_acknowledged()
    {
        const int Readings = 3_000;
        await using var broker = await Mosquitto.StartAsync();
        using var database = new Database();
        await using var publisher = new Publisher(broker.Port);
        for (int kill = 0; kill < 3; kill++)
        {
            using var consumer = await StartAsync(broker.Port, database.File);
            for (int i = kill * Readings / 3; i < (kill + 1) * Readings / 3; i++)
            {
                await publisher.PublishAsync(i);
            }

            consumer.Kill();
            await consumer.WaitForExitAsync();
        }

        await using var last = Consumer.Make(broker.Port, database.File);
        await last.StartAsync();
        await Until.True(() => database.Readings().Count == Readings, "every reading is in the database");
        await last.DrainAsync();
        Assert.Equal(Enumerable.Range(0, Readings), database.Readings().Order());
    }

    [MosquittoFact]
    public async Task A_broker_that_goes_away_and_comes_back_costs_nothing()
    {
        using var database = new Database();
        var broker = await Mosquitto.StartAsync();
        int port = broker.Port;
        await using var engine = Consumer.Make(port, database.File);
        await engine.StartAsync();
        await Until.True(() => engine.Sources[0].IsConnected, "the source is connected");
        await using var publisher = new Publisher(port);
        for (int i = 0; i < 500; i++)
        {
            await publisher.PublishAsync(i);
        }

        // Without persistence a broker forgets what it holds when it is killed: what it acknowledged has to be here first.
        await Until.True(() => database.Readings().Count == 500, "what was published is stored");
        await broker.DisposeAsync();
        await Until.True(() => !engine.Sources[0].IsConnected, "the source notices");
        await using var again = await Mosquitto.StartAsync(port: port);
        await Until.True(() => engine.Sources[0].IsConnected, "the source is connected again");
        for (int i = 500; i < 1_000; i++)
        {
            await publisher.PublishAsync(i);
        }

        await Until.True(() => engine.Sources[0].Events >= 1_000, "all was received");
        await engine.DrainAsync();
        AssertTotals(engine, database, readings: 1_000, deadLetters: 0);
    }

    [MosquittoFact]
    public async Task A_clean_stop_leads_to_no_redelivery()
    {
        await using var broker = await Mosquitto.StartAsync();
        using var database = new Database();
        await using var publisher = new Publisher(broker.Port);
        for (int start = 0; start < 3; start++)
        {
            await using var engine = Consumer.Make(broker.Port, database.File);
            await engine.StartAsync();
            await Until.True(() => engine.Sources[0].IsConnected, "the source is connected");
            for (int i = start * 300; i < (start + 1) * 300; i++)
            {
                await publisher.PublishAsync(i);
            }

            // In the middle of things: some messages are here, some are not, some are not committed.
            await engine.DrainAsync();
            Assert.Equal(0, engine.Sources[0].Unacknowledged);
        }

        await using var last = Consumer.Make(broker.Port, database.File);
        await last.StartAsync();
        await Until.True(() => database.Readings().Count == 900, "every reading is in the database");
        await last.DrainAsync();
        Assert.Equal(900, database.Count("readings"));
    }

    [MosquittoFact]
    public async Task A_locked_database_is_waited_for_and_messages_are_acknowledged_only_then()
    {
        await using var broker = await Mosquitto.StartAsync();
        using var database = new Database();
        await using var engine = Consumer.Make(broker.Port, database.File);
        await engine.StartAsync();
        await using var publisher = new Publisher(broker.Port);
        await Until.True(() => engine.Sources[0].IsConnected, "the source is connected");
        await publisher.PublishAsync(0);
        await Until.True(() => File.Exists(database.File) && engine.Queries[0].Sink!.Written == 1, "the first reading is stored");
        using (var other = database.Open())
        using (var locking = other.CreateCommand())
        {
            locking.CommandText = "begin immediate";
            locking.ExecuteNonQuery();
            for (int i = 1; i < 200; i++)
            {
                await publisher.PublishAsync(i);
            }

            await Until.True(() => engine.Queries[0].Sink!.LastError is not null, "the sink was refused");
            Assert.True(engine.Sources[0].Unacknowledged > 0, "Nothing is acknowledged while nothing can be stored.");
        }

        await Until.True(() => engine.Sources[0] is { Events: 200, Unacknowledged: 0 }, "all is stored and acknowledged");
        await engine.DrainAsync();
        AssertTotals(engine, database, readings: 200, deadLetters: 0);
    }

    private static void AssertTotals(CepEngine engine, Database database, long readings, long deadLetters)
    {
        var source = engine.Sources[0];
        Assert.Equal(readings + deadLetters, source.Received - source.Duplicates);
        Assert.Equal(readings, database.Count("readings"));
        Assert.Equal(deadLetters, database.Count("dead_letters"));
        Assert.Equal(0, source.Dropped);
        Assert.All(engine.Queries, query => Assert.Null(query.Error));
    }

    private static async Task<Process> StartAsync(int port, string file)
    {
        var consumer = Process.Start(new ProcessStartInfo("dotnet", [typeof(Consumer).Assembly.Location, port.ToString(CultureInfo.InvariantCulture), file])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        do
        {
            await consumer.StandardInput.WriteLineAsync("connected?");
        }
        while (await consumer.StandardOutput.ReadLineAsync() == "False");
        return consumer;
    }
}
