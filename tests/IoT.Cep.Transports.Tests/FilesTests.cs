using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep;

[Trait("Requirement", "R102")]
public sealed class FilesTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("files");

    private string Log => Path.Combine(_folder.FullName, "x.log");

    private string Position => Path.Combine(_folder.FullName, "x.position");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_line_counts_when_its_end_is_there()
    {
        await using var tail = Follow();
        await File.AppendAllTextAsync(Log, "one\ntw");
        Assert.Equal("one", await tail.NextAsync());
        await File.AppendAllTextAsync(Log, "o\r\n\nthree\n");
        Assert.Equal("two", await tail.NextAsync());
        Assert.Equal("three", await tail.NextAsync());
    }

    [Fact]
    public async Task What_was_left_of_a_rotated_file_comes_before_its_follower()
    {
        await File.WriteAllTextAsync(Log, "1\n2\n");
        await using var tail = Follow();
        Assert.Equal("1", await tail.NextAsync());
        Assert.Equal("2", await tail.NextAsync());
        using (var old = new StreamWriter(new FileStream(Log, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete)))
        {
            File.Move(Log, Log + ".1");
            await old.WriteAsync("3\nhalf");
        }

        await File.WriteAllTextAsync(Log, "4\n");
        Assert.Equal("3", await tail.NextAsync());
        Assert.Equal("half", await tail.NextAsync());
        Assert.Equal("4", await tail.NextAsync());
    }

    [Fact]
    public async Task An_empty_file_that_is_rotated_is_left()
    {
        await File.WriteAllTextAsync(Log, "");
        await using var tail = Follow();
        await tail.Collector.UntilAsync(connected: true);
        File.Move(Log, Log + ".1");
        await File.WriteAllTextAsync(Log, "new\n");
        Assert.Equal("new", await tail.NextAsync());
    }

    [Fact]
    public async Task A_truncated_file_is_read_anew()
    {
        await File.WriteAllTextAsync(Log, "1\n2\n3\n");
        await using var tail = Follow();
        for (int i = 1; i <= 3; i++)
        {
            Assert.Equal($"{i}", await tail.NextAsync());
        }

        await File.WriteAllTextAsync(Log, "n\n");
        Assert.Equal("n", await tail.NextAsync());
    }

    [Fact]
    public async Task A_restart_goes_on_behind_what_was_acknowledged()
    {
        await File.WriteAllTextAsync(Log, "1\n2\n3\n");
        await using (var tail = Follow(new TailOptions { PositionFile = Position }, acknowledges: false))
        {
            var taken = await tail.Collector.TakeAsync(3);
            taken[0].Acknowledge();
            taken[1].Acknowledge();
        }

        await File.AppendAllTextAsync(Log, "4\n");
        await using var again = Follow(new TailOptions { PositionFile = Position });
        Assert.Equal("3", await again.NextAsync());
        Assert.Equal("4", await again.NextAsync());
    }

    [Theory]
    [InlineData("other\n2\n3\n")]
    [InlineData("")]
    public async Task A_position_in_another_file_is_not_believed(string content)
    {
        await File.WriteAllTextAsync(Log, "1\n2\n");
        await using (var tail = Follow(new TailOptions { PositionFile = Position }))
        {
            await tail.Collector.TakeAsync(2);
        }

        await File.WriteAllTextAsync(Log, content);
        await using var again = Follow(new TailOptions { PositionFile = Position });
        await again.Collector.UntilAsync(connected: true);
        await File.AppendAllTextAsync(Log, "last\n");
        Assert.Equal(content.Length == 0 ? "last" : "other", await again.NextAsync());
    }

    [Theory]
    [InlineData("")]
    [InlineData("x y z")]
    [InlineData("-1 0 ")]
    [InlineData("99999999999999999999 1 a")]
    [InlineData("5 2147483647 aa")]
    public async Task A_broken_position_reads_the_file_from_its_start(string position)
    {
        await File.WriteAllTextAsync(Position, position);
        await File.WriteAllTextAsync(Log, "1\n2\n");
        await using var tail = Follow(new TailOptions { PositionFile = Position });
        Assert.Equal("1", await tail.NextAsync());
    }

    [Fact]
    public async Task A_line_beyond_the_limit_is_passed_over()
    {
        await File.WriteAllTextAsync(Log, $"1\n{new string('x', 300_000)}\n2\n{new string('y', 101)}\n{new string('z', 100)}\r\n");
        await using var tail = Follow(new TailOptions { MaxLineBytes = 100 }, rejects: true);
        Assert.Equal("1", await tail.NextAsync());
        Assert.Equal("2", await tail.NextAsync());
        Assert.Equal(new string('z', 100), await tail.NextAsync());
    }

    [Fact]
    public async Task A_replay_keeps_the_recorded_pace_divided_by_its_speed()
    {
        await File.WriteAllTextAsync(Log, "0\n10\nwrong\n10\n40\n");
        var clock = new FakeTimeProvider();
        await using var engine = new CepEngine(new CepEngineOptions { TimeProvider = clock });
        var decoder = Csv.Decode((ref row) => row.Integer(0));
        var seen = new Observed<long>();
        engine.From(Files.Replay(Log, decoder, s => DateTimeOffset.UnixEpoch.AddSeconds(s), speed: 10)).To(seen);
        await engine.StartAsync();
        var times = new List<(long Value, double Seconds)>();
        var began = clock.GetUtcNow();
        for (int i = 0; i < 100_000 && times.Count < 4; i++)
        {
            while (seen.Results.TryDequeue(out long value))
            {
                times.Add((value, (clock.GetUtcNow() - began).TotalSeconds));
            }

            clock.Advance(TimeSpan.FromMilliseconds(10));
            await Task.Yield();
        }

        Assert.Equal([0L, 10, 10, 40], times.Select(t => t.Value));
        Assert.InRange(times[1].Seconds, 1, double.MaxValue);
        Assert.InRange(times[3].Seconds, 4, double.MaxValue);
        Assert.Equal(1, engine.DeadLetters.Count);
    }

    private Following Follow(TailOptions? options = null, bool acknowledges = true, bool rejects = false) =>
        new(Log, (options ?? new TailOptions()) with { PollInterval = TimeSpan.FromMilliseconds(5) }, acknowledges, rejects);

    private sealed class Following : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _run;

        internal Following(string path, TailOptions options, bool acknowledges, bool rejects)
        {
            Collector = new Collector { AcknowledgeAtOnce = acknowledges };
            IPayloadReceiver receiver = rejects ? new Rejecting(Collector) : Collector;
            _run = new TailTransport(path, TailOptions.Check(options)).RunAsync(
                receiver, new ConnectionContext(TimeProvider.System, new Connections(), NullLogger.Instance), _stop.Token);
        }

        internal Collector Collector { get; }

        internal async Task<string> NextAsync() => (await Collector.NextAsync()).Text;

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _run.WaitAsync(Collector.Patience);
            _stop.Dispose();
        }
    }

    private sealed class Rejecting(IPayloadReceiver inner) : IPayloadReceiver
    {
        public ValueTask ReceiveAsync(in Payload payload, IAcknowledger? acknowledger = null, object? delivery = null) => inner.ReceiveAsync(in payload, acknowledger, delivery);

        public void Reject(in Payload payload, DeadLetterReason reason, string detail) => Assert.Equal(DeadLetterReason.TooLarge, reason);

        public void CountDuplicate()
        {
        }

        public void ConnectionChanged(bool connected, string? detail = null) => inner.ConnectionChanged(connected, detail);
    }
}

/// <summary>Keeps results.</summary>
internal sealed class Observed<T> : IInlineSink<T>
{
    internal System.Collections.Concurrent.ConcurrentQueue<T> Results { get; } = new();

    public string Name => "observed";

    public void Write(in Batch<T> batch)
    {
        foreach (var result in batch.Events)
        {
            Results.Enqueue(result);
        }
    }
}
