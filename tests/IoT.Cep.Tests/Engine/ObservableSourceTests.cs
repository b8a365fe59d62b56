using System.Reactive.Disposables;
using System.Reactive.Linq;
using System.Reactive.Subjects;

namespace IoT.Cep.Tests;

public sealed class ObservableSourceTests : IAsyncDisposable
{
    private readonly Collecting<int> _sink = new();
    private readonly CepEngine _engine = new();

    public ValueTask DisposeAsync() => _engine.DisposeAsync();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Engine_has_subscribed_when_its_start_completes(bool isPartitioned)
    {
        using var subject = new Subject<int>();
        using var subscribe = new ManualResetEventSlim();
        var slow = Source.FromObservable(Observable.Create<int>(observer =>
        {
            subscribe.Wait();
            return subject.Subscribe(observer);
        }));
        var source = isPartitioned ? Source.Partitioned("both", Source.FromObservable(Observable.Never<int>()), slow) : slow;
        _engine.From(source).WithArrivalTime().To(_sink);
        var start = _engine.StartAsync();
        Assert.False(start.IsCompleted);
        subscribe.Set();
        await start.WaitAsync(Limit.Time);
        subject.OnNext(1);
        subject.OnCompleted();
        await _engine.DrainAsync().WaitAsync(Limit.Time);
        Assert.Equal([1], _sink.Results);
    }

    [Fact]
    public async Task Observable_that_emits_before_it_is_subscribed_to_holds_no_start_up()
    {
        using var go = new ManualResetEventSlim();
        _engine.From(Source.FromObservable(Observable.Create<int>(observer =>
        {
            observer.OnNext(1);
            go.Wait();
            return Disposable.Empty;
        }))).WithArrivalTime().To(_sink);
        await _engine.StartAsync().WaitAsync(Limit.Time);
        go.Set();
        await _engine.DrainAsync().WaitAsync(Limit.Time);
        Assert.Equal([1], _sink.Results);
    }

    [Fact]
    public async Task Observable_that_can_not_be_subscribed_to_ends_its_queries_and_holds_no_start_up()
    {
        var query = _engine.From(Source.FromObservable(Observable.Create<int>(IDisposable (_) => throw new InvalidOperationException("not today")))).WithArrivalTime().To(_sink);
        await _engine.StartAsync().WaitAsync(Limit.Time);
        await Assert.ThrowsAsync<InvalidOperationException>(() => _engine.Completion.WaitAsync(Limit.Time));
        Assert.Equal("not today", query.Error?.Message);
    }

    [Fact]
    public async Task Start_that_waits_for_a_subscription_can_be_given_up_and_stopped()
    {
        using var subscribe = new ManualResetEventSlim();
        using var patience = new CancellationTokenSource();
        _engine.From(Source.FromObservable(Observable.Create<int>(_ =>
        {
            subscribe.Wait();
            return Disposable.Empty;
        }))).WithArrivalTime().To(_sink);
        var start = _engine.StartAsync(patience.Token);
        Assert.False(start.IsCompleted);
        await patience.CancelAsync();
        await start.WaitAsync(Limit.Time);
        subscribe.Set();
        await _engine.DrainAsync().WaitAsync(Limit.Time);
        Assert.Empty(_sink.Results);
    }
}
