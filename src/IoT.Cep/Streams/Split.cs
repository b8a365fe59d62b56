using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

public static partial class EventStreamExtensions
{
    /// <summary>
    /// Divides a stream in two: the events for which the predicate is true, and the rest. A query that uses both (in a <c>Union</c>) asks the
    /// predicate once for each event; each query of its own asks it again. Remembers nothing; late events pass like any other; times and identities
    /// stay. Split the rest again for more than two.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream; one that corrects its results is refused, because a correction may belong to the other side.</param>
    /// <param name="predicate">Asked once for each event, on the thread that runs the query. An event at which it throws is on neither side.</param>
    /// <param name="rest">The events for which it is false.</param>
    /// <param name="text">The predicate's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public static IEventStream<T> Split<T>(
        this IEventStream<T> stream, Func<T, bool> predicate, out IEventStream<T> rest, [CallerArgumentExpression(nameof(predicate))] string text = "")
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(predicate);
        var fork = new SplitFork<T, FuncTest<T>>(stream.Node, new FuncTest<T>(predicate), text);
        rest = new SplitNode<T>(fork, IsRest: true).ToStream();
        return new SplitNode<T>(fork, IsRest: false).ToStream();
    }

    /// <inheritdoc cref="Split{T}(IEventStream{T}, Func{T, bool}, out IEventStream{T}, string)"/>
    /// <typeparam name="TKey">The key's type; both streams stay keyed.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    public static IKeyedStream<TKey, T> Split<TKey, T>(
        this IKeyedStream<TKey, T> stream, Func<T, bool> predicate, out IKeyedStream<TKey, T> rest,
        [CallerArgumentExpression(nameof(predicate))] string text = "")
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(predicate);
        var fork = new SplitFork<T, FuncTest<T>>(stream.Node, new FuncTest<T>(predicate), text);
        rest = new KeyedStream<TKey, T>(new SplitNode<T>(fork, IsRest: true), stream.Key);
        return new KeyedStream<TKey, T>(new SplitNode<T>(fork, IsRest: false), stream.Key);
    }

    /// <summary>Divides a stream in two by a structured predicate: <c>Split(Reading.Fields.Celsius &gt; 70, out var rest)</c>.</summary>
    /// <inheritdoc cref="Split{T}(IEventStream{T}, Func{T, bool}, out IEventStream{T}, string)"/>
    public static IEventStream<T> Split<T>(this IEventStream<T> stream, Predicate<T> predicate, out IEventStream<T> rest)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(predicate);
        var fork = new SplitFork<T, FieldTest<T>>(stream.Node, new FieldTest<T>(predicate.Test), predicate.ToString());
        rest = new SplitNode<T>(fork, IsRest: true).ToStream();
        return new SplitNode<T>(fork, IsRest: false).ToStream();
    }

    /// <inheritdoc cref="Split{T}(IEventStream{T}, Predicate{T}, out IEventStream{T})"/>
    /// <typeparam name="TKey">The key's type; both streams stay keyed.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    public static IKeyedStream<TKey, T> Split<TKey, T>(this IKeyedStream<TKey, T> stream, Predicate<T> predicate, out IKeyedStream<TKey, T> rest)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(predicate);
        var fork = new SplitFork<T, FieldTest<T>>(stream.Node, new FieldTest<T>(predicate.Test), predicate.ToString());
        rest = new KeyedStream<TKey, T>(new SplitNode<T>(fork, IsRest: true), stream.Key);
        return new KeyedStream<TKey, T>(new SplitNode<T>(fork, IsRest: false), stream.Key);
    }
}

internal sealed class SplitFork<T, TTest> : Fork<T>
    where TTest : struct, ITest<T>
{
    private readonly TTest _test;

    internal SplitFork(StreamNode<T> input, TTest test, string predicate)
        : base(input)
    {
        input.RequireAppendOnly("Split");
        _test = test;
        Text = $"Split {StreamExtensions.Shorten(predicate)}";
    }

    internal override string Text { get; }

    internal override ForkOperator<T> Make(Operator<T> first, QueryContext query) => new SplitOperator<T, TTest>(first, query, _test);
}

internal sealed record SplitNode<T>(Fork<T> Fork, bool IsRest) : StreamNode<T, T>(Fork.Input)
{
    internal override string Text => IsRest ? $"{Fork.Text}, the rest" : $"{Fork.Text}, those";

    internal override void Build(Plan plan, Operator<T> next) => plan.BuildOutput(this, Fork, IsRest ? 1 : 0, next);
}

/// <summary>Branch-free as <c>Where</c> is: every event is stored on both sides, and the predicate decides where the next one is stored over it.</summary>
internal sealed class SplitOperator<T, TTest>(Operator<T> first, QueryContext query, TTest test) : ForkOperator<T>(2, first, query)
    where TTest : struct, ITest<T>
{
    private readonly BatchBuilder<T> _those = new();
    private readonly BatchBuilder<T> _rest = new();

    protected override bool IsAtomic => true;

    protected override void Process(in Batch<T> batch)
    {
        _those.Begin(in batch);
        _rest.Begin(in batch);
        if (batch.Ids.IsEmpty && batch.Kinds.IsEmpty && batch.Groups.IsEmpty)
        {
            Divide(in batch);
        }
        else
        {
            DivideAll(in batch);
        }

        Emit(0, _those.Batch);
        Emit(1, _rest.Batch);
    }

    protected override void Release()
    {
        _those.Dispose();
        _rest.Dispose();
    }

    private void Divide(in Batch<T> batch)
    {
        var events = batch.Events;
        var ticks = batch.Ticks[..events.Length];
        var (thoseEvents, thoseTicks) = (_those.Events, _those.Ticks);
        var (restEvents, restTicks) = (_rest.Events, _rest.Ticks);
        var decide = test;
        int count = 0;
        for (int i = 0; i < events.Length; i++)
        {
            thoseEvents[count] = restEvents[i - count] = events[i];
            thoseTicks[count] = restTicks[i - count] = ticks[i];
            count += decide.Test(in events[i]) ? 1 : 0;
        }

        _those.Count = count;
        _rest.Count = events.Length - count;
    }

    private void DivideAll(in Batch<T> batch)
    {
        for (int i = 0; i < batch.Length; i++)
        {
            var side = test.Test(in batch.Events[i]) ? _those : _rest;
            side.Events[side.Count] = batch.Events[i];
            side.Ticks[side.Count] = batch.Ticks[i];
            side.CopyOptional(in batch, i, side.Count++);
        }
    }
}
