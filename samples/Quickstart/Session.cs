using System.Globalization;
using IoT.Cep;
using Microsoft.Data.Sqlite;
using MQTTnet.Exceptions;

namespace Quickstart;

/// <summary>One run: broker, engine, publisher and view, from the start to the totals.</summary>
public sealed class Session(CommandLine options, TimeProvider clock)
{
    private const int Fine = 0, CouldNotRun = 1, DoesNotAddUp = 3;

    private static readonly TimeSpan _subscribing = TimeSpan.FromSeconds(15);

    // With a broker of its own nothing is lost on the way, so waiting can only mean that the database is slow.
    private readonly TimeSpan _patience = TimeSpan.FromSeconds(options.Broker is null ? 30 : 5);

    public async Task<int> RunAsync(CancellationToken stop)
    {
        var recording = options.Data is null ? null : Recording.Open(options.Data);
        var (places, names) = ReadPlaces();
        double rate = options.Rate ?? 1_000;
        var tuning = recording?.Tuning ?? Tuning.Simulation(options.Sensors, rate);
        string database = Path.GetFullPath(options.Database ?? Path.Combine(Path.GetTempPath(), $"quickstart-{Guid.NewGuid():N}.db"));
        CheckDatabase(database);

        await using var broker = options.Broker is null ? await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 }) : null;
        var (host, port) = options.Broker ?? ("127.0.0.1", broker!.Port);
        // Other traffic of an outside broker, and other runs, do not count.
        string topic = $"quickstart/{Guid.NewGuid():N}";
        await using var publisher = await ConnectAsync(host, port, topic, stop);

        var board = new Board();
        await using var engine = new CepEngine(cep =>
        {
            cep.Mqtt(o => (o.Host, o.Port) = (host, port)).Sqlite(database);
            Queries.Declare(cep, topic, recording?.Sensor ?? "", places, tuning, board);
        }, new CepEngineOptions { TimeProvider = clock });
        await engine.StartAsync(CancellationToken.None);
        await WaitForSubscriptionAsync(engine, stop);

        string title = $"{(recording is null ? $"{options.Sensors} sensors" : Board.Name(Path.GetFileName(options.Data)!))} -> {host}:{port}";
        Console.WriteLine($"database {database}");
        long begun = clock.GetTimestamp();
        var messages = recording?.Messages(options.Speed) ?? new Simulated(names, rate).Messages(clock.GetUtcNow(), () => clock.GetElapsedTime(begun));
        if (recording is not null && options.Rate is not null)
        {
            messages = messages.Select((m, i) => m with { Due = TimeSpan.FromTicks(Math.Max(m.Due.Ticks, (long)(i / rate * TimeSpan.TicksPerSecond))) });
        }

        string? failure = await WatchedAsync(engine, publisher, board, places, title, async () =>
        {
            string? lost = await PublishAsync(engine, publisher, messages, stop);
            await WaitForDeliveriesAsync(engine, publisher);
            await engine.DrainAsync(CancellationToken.None);
            return lost;
        });
        return Finish(engine, publisher, failure, database);
    }

    private (Table<string, Place> Places, string[] Names) ReadPlaces()
    {
        string? beside = options.Data is null ? null : Path.Combine(Path.GetDirectoryName(Path.GetFullPath(options.Data))!, "sensor-metadata.txt");
        string? file = options.Metadata ?? (File.Exists(beside) ? beside : null);
        var places = file is null ? [] : Places.Read(file);
        string[] names = file is null ? Simulated.Names(options.Sensors) : [.. places.Keys.Concat(Simulated.Names(options.Sensors)).Take(options.Sensors)];
        return (new Table<string, Place>(file is null && options.Data is null ? Simulated.PlacesOf(names) : places), names);
    }

    /// <summary>Tells at once what the engine would try again and again: that the file is no database, or not ours to write.</summary>
    private static void CheckDatabase(string file)
    {
        try
        {
            using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Pooling = false, DefaultTimeout = 2 }.ToString());
            connection.Open();
            using var transaction = connection.BeginTransaction();
        }
        catch (SqliteException error)
        {
            throw new InvalidOperationException($"Can't write the database {file}: {error.Message}", error);
        }
    }

    private static async Task<Publisher> ConnectAsync(string host, int port, string topic, CancellationToken stop)
    {
        try
        {
            return await Publisher.ConnectAsync(host, port, topic, stop);
        }
        catch (Exception error) when (error is MqttCommunicationException or MQTTnet.Adapter.MqttConnectingFailedException)
        {
            stop.ThrowIfCancellationRequested();
            throw new InvalidOperationException($"No MQTT broker answers at {host}:{port}: {error.GetBaseException().Message}", error);
        }
    }

    private async Task WaitForSubscriptionAsync(CepEngine engine, CancellationToken stop)
    {
        long start = clock.GetTimestamp();
        while (!engine.Sources[0].IsConnected && !stop.IsCancellationRequested)
        {
            if (engine.Completion.IsFaulted)
            {
                await engine.Completion;
            }

            if (clock.GetElapsedTime(start) > _subscribing)
            {
                throw new InvalidOperationException("The broker did not take the subscription.");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), clock, CancellationToken.None);
        }
    }

    /// <summary>Runs the work while a view shows how it goes.</summary>
    private async Task<string?> WatchedAsync(
        CepEngine engine, Publisher publisher, Board board, ITable<string, Place> places, string title, Func<Task<string?>> work)
    {
        var watch = new Watch(engine, publisher, clock);
        bool isPlain = Console.IsOutputRedirected || Environment.GetEnvironmentVariable("TERM") == "dumb";
        if (isPlain)
        {
            Console.WriteLine(title);
        }

        using var done = new CancellationTokenSource();
        var probe = watch.ProbeAsync(done.Token);
        var view = isPlain
            ? new PlainView(watch, board, places, clock).RunAsync(done.Token)
            : new TerminalView(watch, board, places, title, clock).RunAsync(done.Token);
        try
        {
            return await work();
        }
        finally
        {
            await done.CancelAsync();
            await Task.WhenAll(probe, view);
        }
    }

    private async Task<string?> PublishAsync(CepEngine engine, Publisher publisher, IEnumerable<Message> messages, CancellationToken stop)
    {
        using var timeIsUp = new CancellationTokenSource(options.Duration ?? Timeout.InfiniteTimeSpan, clock);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop, timeIsUp.Token);
        // A source that fails for good will take nothing more.
        _ = engine.Completion.ContinueWith(_ => end.Cancel(), end.Token, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        try
        {
            await publisher.PublishAsync(messages, clock, end.Token);
            return null;
        }
        catch (InvalidOperationException error)
        {
            return error.Message;
        }
        finally
        {
            await end.CancelAsync();
        }
    }

    /// <summary>Waits until all that was published has been received, or nothing comes any more.</summary>
    private async Task WaitForDeliveriesAsync(CepEngine engine, Publisher publisher)
    {
        long received = -1, since = clock.GetTimestamp();
        while (!engine.Completion.IsFaulted)
        {
            var source = engine.Sources[0];
            // Of those sent again nobody knows whether the first ones come as well.
            if (source.Received - source.Duplicates >= publisher.Published + publisher.SentAgain)
            {
                return;
            }

            if (source.Received != received)
            {
                (received, since) = (source.Received, clock.GetTimestamp());
            }
            else if (clock.GetElapsedTime(since) > _patience)
            {
                return;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), clock);
        }
    }

    private int Finish(CepEngine engine, Publisher publisher, string? failure, string database)
    {
        var totals = Totals.Of(engine, publisher);
        Console.WriteLine();
        Console.WriteLine(totals);
        Console.WriteLine($"  database     {database}");
        if (options.Summary is not null)
        {
            totals.Write(options.Summary);
        }

        var failures = engine.Queries.Where(q => q.State == QueryState.Failed).Select(q => $"The query '{q.Name}' failed: {q.Error!.Message}").ToList();
        failures.AddRange(engine.Queries.Where(q => q.Sink is { Waiting: > 0 }).Select(q => string.Create(
            CultureInfo.InvariantCulture, $"The query '{q.Name}' could not write {q.Sink!.Waiting:N0} results: {q.Sink.LastError}")));
        failures.AddRange(failure is null ? [] : [failure]);
        failures.ForEach(Console.Error.WriteLine);
        if (options.Broker is not null && totals.Undelivered() is > 0 and var undelivered)
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"the broker acknowledged {undelivered:N0} readings and did not deliver them (mosquitto: set max_queued_messages 0 and max_inflight_messages 0)"));
        }

        if (publisher.SentAgain > 0)
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"the connection was lost, and {publisher.SentAgain:N0} readings in flight were sent again; of {totals.Published - publisher.Published:N0} of them the broker had the first one, too"));
        }

        string? difference = totals.Difference();
        Console.WriteLine(difference is null ? "totals add up" : $"totals do NOT add up: {difference}");
        return failures.Count > 0 ? CouldNotRun : difference is null ? Fine : DoesNotAddUp;
    }
}
