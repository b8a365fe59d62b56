using System.Collections.Concurrent;
using IoT.Cep.Extensibility;
using IoT.Cep.Testing;

namespace IoT.Cep;

public sealed class StoreAndForwardTests : IDisposable
{
    private static readonly StoreAndForwardOptions _quick = new()
    {
        FlushToDisk = false,
        RetryMin = TimeSpan.FromMilliseconds(1),
        RetryMax = TimeSpan.FromMilliseconds(5),
        DrainTimeout = TimeSpan.FromSeconds(30),
    };

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("stored");

    public static TheoryData<string> SinkRules => [.. SinkContract.Rules];

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(SinkRules))]
    public Task A_sink_behind_a_log_keeps_the_rule(string rule) => SinkContract.CheckAsync(rule, () => new Fixture());

    [Fact]
    public async Task What_was_stored_while_the_peer_was_away_is_forwarded_in_order_when_it_returns()
    {
        var peer = new Peer { IsAway = true };
        await using var sink = await OpenAsync(peer);
        for (int i = 0; i < 100; i++)
        {
            await WriteAsync(sink, i * 10, (i * 10) + 10);
        }

        Assert.Equal(1000, sink.Statistics.Waiting);
        peer.IsAway = false;
        await peer.UntilAsync(1000);
        Assert.Equal(Enumerable.Range(0, 1000), peer.Rows);
    }

    [Fact]
    public async Task A_restart_forwards_what_was_left()
    {
        var peer = new Peer { IsAway = true };
        await using (var sink = await OpenAsync(peer, _quick with { DrainTimeout = TimeSpan.Zero }))
        {
            await WriteAsync(sink, 0, 50);
        }

        peer.IsAway = false;
        await using var again = await OpenAsync(peer);
        await WriteAsync(again, 50, 60);
        await peer.UntilAsync(60);
        Assert.Equal(Enumerable.Range(0, 60), peer.Rows);
    }

    [Fact]
    public async Task A_log_that_a_crash_cut_off_at_any_byte_gives_its_whole_records_and_goes_on()
    {
        await using (var sink = await OpenAsync(new Peer { IsAway = true }, _quick with { DrainTimeout = TimeSpan.Zero }))
        {
            await WriteAsync(sink, 0, 12);
        }

        string file = Assert.Single(_folder.GetFiles("*.log")).FullName;
        byte[] whole = await File.ReadAllBytesAsync(file);
        int before = 0;
        for (int length = 0; length <= whole.Length; length++)
        {
            _folder.GetFiles().ToList().ForEach(f => f.Delete());
            await File.WriteAllBytesAsync(file, whole[..length]);
            var peer = new Peer();
            await using (var sink = await OpenAsync(peer))
            {
                await WriteAsync(sink, 1000, 1001);
            }

            int records = peer.Rows.Count - 1;
            Assert.Equal([.. Enumerable.Range(0, records), 1000], peer.Rows);
            Assert.InRange(records, before, before + 1);
            before = records;
        }

        Assert.Equal(12, before);
    }

    [Fact]
    public async Task A_log_with_any_wrong_byte_gives_only_what_was_written()
    {
        await using (var sink = await OpenAsync(new Peer { IsAway = true }, _quick with { DrainTimeout = TimeSpan.Zero }))
        {
            await WriteAsync(sink, 0, 4);
        }

        string file = Assert.Single(_folder.GetFiles("*.log")).FullName;
        byte[] whole = await File.ReadAllBytesAsync(file);
        for (int at = 0; at < whole.Length; at++)
        {
            _folder.GetFiles().ToList().ForEach(f => f.Delete());
            byte[] wrong = [.. whole];
            wrong[at] ^= 0x41;
            await File.WriteAllBytesAsync(file, wrong);
            var peer = new Peer();
            await using (await OpenAsync(peer))
            {
            }

            Assert.Equal(Enumerable.Range(0, peer.Rows.Count), peer.Rows);
            Assert.InRange(peer.Rows.Count, 0, 3);
        }
    }

    [Fact]
    public async Task A_full_log_holds_the_writer_up_until_there_is_room()
    {
        var peer = new Peer { IsAway = true };
        await using var sink = await OpenAsync(peer, _quick with { MaxBytes = 8192 });
        var writing = WriteAsync(sink, 0, 1000);
        await Until(() => sink.Statistics.WaitingBytes > 7000);
        Assert.False(writing.IsCompleted);
        Assert.InRange(sink.Statistics.WaitingBytes, 7000, 8192);
        peer.IsAway = false;
        await writing.WaitAsync(Collector.Patience);
        await peer.UntilAsync(1000);
        Assert.Equal(Enumerable.Range(0, 1000), peer.Rows);
    }

    [Fact]
    public async Task A_full_log_drops_the_oldest_as_dead_letters_where_it_may()
    {
        var peer = new Peer { IsAway = true };
        var letters = new List<int>();
        var context = RunningTransport.Context(new Connections()) with { DeadLetter = (_, _, value) => letters.Add((int)value!) };
        await using var sink = Sink(peer, _quick with { MaxBytes = 8192, WhenFull = WhenLogFull.DropOldest, BatchEvents = 1 });
        await sink.OpenAsync(context, default);
        await WriteAsync(sink, 0, 1000);
        peer.IsAway = false;
        await peer.UntilRowAsync(999);

        Assert.Equal(Enumerable.Range(0, 1000), letters.Concat(peer.Rows).Distinct().Order());
        Assert.Equal(sink.Statistics.Dropped, letters.Count);
        Assert.Equal(peer.Rows.Order(), peer.Rows);
        Assert.InRange(letters.Count, 500, 999);
    }

    [Fact]
    public async Task A_rejected_result_is_a_dead_letter_and_the_others_go_on()
    {
        var peer = new Peer { Rejects = row => row % 7 == 3 };
        await using var engine = new CepEngine();
        int[] rows = [.. Enumerable.Range(0, 100)];
        engine.From(Source.FromMemory<int>(rows, new long[100])).To(new Peer.Sink(peer).StoreAndForward(_folder.FullName, _quick));
        await engine.RunAsync().WaitAsync(Collector.Patience);
        await engine.DisposeAsync();

        Assert.Equal(rows.Where(r => r % 7 != 3), peer.Rows);
        Assert.Equal(14, engine.DeadLetters.CountOf(DeadLetterReason.SinkRejected));
    }

    [Fact]
    public async Task Two_sinks_cannot_share_a_folder()
    {
        await using var one = await OpenAsync(new Peer());
        await Assert.ThrowsAsync<IOException>(() => OpenAsync(new Peer()));
    }

    [Fact]
    public async Task A_type_that_cannot_be_stored_is_told_at_the_start()
    {
        var sink = (IAsyncSink<Uri>)Mqtt.Publish<Uri>(u => "a", u => u.Host).StoreAndForward(_folder.FullName);
        var error = await Assert.ThrowsAsync<SinkConfigurationException>(() => sink.CheckAsync(RunningTransport.Context(new Connections()), default).AsTask());
        Assert.Contains("StateCodec.Register<Uri>", error.Message, StringComparison.Ordinal);
    }

    private static Task WriteAsync(StoreAndForwardSink<int> sink, int from, int to) => sink.WriteAsync(
        new SinkBatch<int> { Events = Enumerable.Range(from, to - from).ToArray(), Ticks = new long[to - from] }, CancellationToken.None).AsTask();

    private static async Task Until(Func<bool> condition)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        using var patience = new CancellationTokenSource(Collector.Patience);
        while (!condition())
        {
            await timer.WaitForNextTickAsync(patience.Token);
        }
    }

    private StoreAndForwardSink<int> Sink(Peer peer, StoreAndForwardOptions? options) => new Peer.Sink(peer).StoreAndForward(_folder.FullName, options ?? _quick);

    private async Task<StoreAndForwardSink<int>> OpenAsync(Peer peer, StoreAndForwardOptions? options = null)
    {
        var sink = Sink(peer, options);
        await sink.OpenAsync(RunningTransport.Context(new Connections()), CancellationToken.None);
        return sink;
    }

    /// <summary>Where results go; it can be away.</summary>
    private sealed class Peer
    {
        private readonly ConcurrentQueue<int> _rows = new();
        private volatile bool _isAway;

        internal bool IsAway { get => _isAway; set => _isAway = value; }

        internal Func<int, bool> Rejects { get; init; } = _ => false;

        internal IReadOnlyList<int> Rows => [.. _rows];

        internal Task UntilAsync(int count) => Until(() => _rows.Count >= count);

        internal Task UntilRowAsync(int row) => Until(() => _rows.Contains(row));

        internal sealed class Sink(Peer peer) : IAsyncSink<int>
        {
            public string Name => "peer";

            public bool IsDurable => false;

            public bool UsesIdentity => false;

            public ValueTask OpenAsync(SinkContext context, CancellationToken stop) => peer.IsAway ? throw new IOException("away") : ValueTask.CompletedTask;

            public ValueTask WriteAsync(SinkBatch<int> batch, CancellationToken stop)
            {
                for (int i = 0; i < batch.Length; i++)
                {
                    if (peer.IsAway)
                    {
                        throw new IOException("away");
                    }

                    if (peer.Rejects(batch.Events.Span[i]))
                    {
                        throw new SinkRejectedException(i, "not this one");
                    }

                    peer._rows.Enqueue(batch.Events.Span[i]);
                    batch.MarkWritten(i);
                }

                return ValueTask.CompletedTask;
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }

    private sealed class Fixture : SinkFixture<int>
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("stored");
        private readonly Peer _peer = new();

        public override bool IsExact => true;

        public override ValueTask<IAsyncSink<int>> StartAsync(CancellationToken stop) => new(new Peer.Sink(_peer).StoreAndForward(_folder.FullName, _quick));

        public override int Row(int i) => i;

        public override async ValueTask<IReadOnlyList<int>> WrittenAsync(int count, CancellationToken stop)
        {
            await _peer.UntilAsync(count);
            return _peer.Rows;
        }

        public override ValueTask DisposeAsync()
        {
            _folder.Delete(recursive: true);
            return ValueTask.CompletedTask;
        }
    }
}
