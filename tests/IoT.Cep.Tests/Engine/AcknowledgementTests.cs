using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public sealed class AcknowledgementTests : IAsyncDisposable
{
    private readonly ManualTransport _transport = new();
    private readonly CepEngine _engine = new();

    [Fact]
    public async Task A_dead_letter_is_told_to_its_sender_and_acknowledged_like_any_message()
    {
        _engine.From(_transport.ToSource()).Subscribe(_ => { });
        await _engine.StartAsync();

        await await _transport.SendAsync("1", acknowledge: true);
        await await _transport.SendAsync("no-number", acknowledge: true);

        Assert.Equal((2, Extensibility.DeadLetterReason.Malformed, "'no-number' is no number."), Assert.Single(_transport.Refused));
        await _transport.WaitForAcknowledgedAsync(2);
        Assert.Equal([1, 2], _transport.Acknowledged);
    }

    public ValueTask DisposeAsync() => _engine.DisposeAsync();

    [Fact]
    public async Task Messages_are_acknowledged_in_order_after_the_commit()
    {
        var store = new ManualSink<double>(isDurable: true);
        store.Block();
        Stream().To(store);
        await SendAsync("1", "2", "3 4");
        Assert.Empty(_transport.Acknowledged);
        Assert.Equal(3, _engine.Sources[0].Unacknowledged);
        store.Unblock();
        await _transport.WaitForAcknowledgedAsync(3);
        Assert.Equal([1, 2, 3], _transport.Acknowledged);
        Assert.Equal([1.0, 2, 3, 4], store.Rows);
    }

    [Fact]
    public async Task Message_that_only_windows_use_is_acknowledged_at_once()
    {
        var store = new ManualSink<double>(isDurable: true);
        store.Block();
        Stream().Window(Window.Tumbling(Seconds(10))).Select(w => w.Sum(x => x)).To(store);
        await SendAsync("1", "2");
        Assert.Equal([1, 2], _transport.Acknowledged);
    }

    [Fact]
    public async Task Two_durable_sinks_must_both_have_committed()
    {
        var (one, two) = (new ManualSink<double>(isDurable: true), new ManualSink<double>(isDurable: true));
        two.Block();
        Stream().To(one);
        Stream().To(two);
        await SendAsync("1");
        await one.WaitForAsync(1);
        Assert.Empty(_transport.Acknowledged);
        two.Unblock();
        await _transport.WaitForAcknowledgedAsync(1);
    }

    [Fact]
    public async Task Message_that_becomes_a_dead_letter_is_acknowledged()
    {
        Stream().To(new ManualSink<double>(isDurable: true));
        await SendAsync("nonsense");
        await _transport.WaitForAcknowledgedAsync(1);
        Assert.Equal(1, _engine.DeadLetters.Count);
    }

    [Fact]
    public async Task Event_that_the_query_does_not_keep_is_acknowledged()
    {
        Stream().Where(x => x > 10).To(new ManualSink<double>(isDurable: true));
        await SendAsync("1");
        await _transport.WaitForAcknowledgedAsync(1);
    }

    [Fact]
    public async Task Removed_query_holds_no_acknowledgement_back()
    {
        var store = new ManualSink<double>(isDurable: true);
        store.Block();
        var query = Stream().To(store);
        await SendAsync("1");
        query.Dispose();
        await _transport.WaitForAcknowledgedAsync(1);
        store.Unblock();
    }

    [Fact]
    public async Task Failed_query_holds_no_acknowledgement_back()
    {
        var store = new ManualSink<double>(isDurable: true);
        Stream().Select(x => x > 1 ? throw new FormatException("bad") : x).To(store);
        await SendAsync("1", "2", "3");
        await _transport.WaitForAcknowledgedAsync(3);
        Assert.Equal([1.0], store.Rows);
    }

    private IEventStream<double> Stream() => _source ??= _engine.From(_transport.ToSource(), o => o.MaxBatchDelay = TimeSpan.Zero).WithEventTime(x => Time(x));

    private IEventStream<double>? _source;

    private async Task SendAsync(params string[] messages)
    {
        await _engine.StartAsync();
        foreach (string message in messages)
        {
            await await _transport.SendAsync(message, acknowledge: true);
        }
    }
}
