using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

public static partial class EventStreamExtensions
{
    /// <summary>
    /// Runs a state along each key's events in order of event time and gives it out behind each of them, when the watermark reaches the event;
    /// the result's time is the event's. Remembers one state for each key until <paramref name="forgetAfter"/>. Late events are left out and
    /// counted.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TState">The state's type: a struct or tuple allocates nothing. Its codec saves it.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="seed">The state before a key's first event. One object would be all keys': where it is a class, <paramref name="next"/> makes a new one.</param>
    /// <param name="next">Makes the state behind an event of the state before it. Where it throws, the state stays as it was.</param>
    /// <param name="forgetAfter">A key without an event for so long is forgotten and begins with the seed again. 7 days by default; it bounds the state.</param>
    /// <param name="text">The source text of <paramref name="next"/>, for <c>Explain</c>; the compiler fills it in.</param>
    public static IEventStream<TState> Scan<TKey, T, TState>(
        this IKeyedStream<TKey, T> stream, TState seed, Func<TState, T, TState> next, TimeSpan? forgetAfter = null,
        [CallerArgumentExpression(nameof(next))] string text = "")
        where TKey : notnull => stream.Scan(seed, next, static (_, state) => state, forgetAfter, text);

    /// <summary>
    /// Runs a state along each key's events in order of event time, and gives a result of the event and the state behind it; otherwise as without
    /// <paramref name="result"/>.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TState">The state's type: a struct or tuple allocates nothing. Its codec saves it.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="seed">The state before a key's first event. One object would be all keys': where it is a class, <paramref name="next"/> makes a new one.</param>
    /// <param name="next">Makes the state behind an event of the state before it.</param>
    /// <param name="result">Makes the result of the event and the state behind it. Where one of the two throws, the state stays as it was.</param>
    /// <param name="forgetAfter">A key without an event for so long is forgotten and begins with the seed again. 7 days by default; it bounds the state.</param>
    /// <param name="text">The source text of <paramref name="next"/>, for <c>Explain</c>; the compiler fills it in.</param>
    public static IEventStream<TResult> Scan<TKey, T, TState, TResult>(
        this IKeyedStream<TKey, T> stream, TState seed, Func<TState, T, TState> next, Func<T, TState, TResult> result, TimeSpan? forgetAfter = null,
        [CallerArgumentExpression(nameof(next))] string text = "")
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(next);
        ArgumentNullException.ThrowIfNull(result);
        stream.Node.RequireAppendOnly("Scan");
        return new ScanNode<TKey, T, TState, TResult>(
            stream.Node, stream.Key, seed, next, result, Positive(forgetAfter ?? _defaultForgetAfter, nameof(forgetAfter)), StreamExtensions.Shorten(text)).ToStream();
    }

    /// <summary>The same over all events, without a key.</summary>
    /// <inheritdoc cref="Scan{TKey, T, TState}(IKeyedStream{TKey, T}, TState, Func{TState, T, TState}, TimeSpan?, string)"/>
    public static IEventStream<TState> Scan<T, TState>(
        this IEventStream<T> stream, TState seed, Func<TState, T, TState> next, TimeSpan? forgetAfter = null,
        [CallerArgumentExpression(nameof(next))] string text = "") => stream.Unkeyed().Scan(seed, next, forgetAfter, text);

    /// <summary>The same over all events, without a key.</summary>
    /// <inheritdoc cref="Scan{TKey, T, TState, TResult}"/>
    public static IEventStream<TResult> Scan<T, TState, TResult>(
        this IEventStream<T> stream, TState seed, Func<TState, T, TState> next, Func<T, TState, TResult> result, TimeSpan? forgetAfter = null,
        [CallerArgumentExpression(nameof(next))] string text = "") => stream.Unkeyed().Scan(seed, next, result, forgetAfter, text);
}

internal sealed record ScanNode<TKey, T, TState, TResult>(
    StreamNode<T> Source, KeySelector<TKey, T> Key, TState Seed, Func<TState, T, TState> Next, Func<T, TState, TResult> Result, TimeSpan ForgetAfter,
    string Lambda) : KeyedNode<TKey, T, TResult>(Source, Key)
    where TKey : notnull
{
    internal override string Text => $"Scan {Lambda} {Key.ByTime}, forgets after {ForgetAfter}";

    internal override void Build(Plan plan, Operator<TResult> next) => plan.BuildKeyed(this, Input, Key, next, (output, keys) =>
        new KeyedStepOperator<TKey, T, TState, TResult, Step>(output, plan.Query, this, ForgetAfter, new Step(Seed, Next, Result), keys));

    internal readonly struct Step(TState seed, Func<TState, T, TState> next, Func<T, TState, TResult> makeResult) : IKeyedStep<T, TState, TResult>
    {
        public bool Take(in T value, long ticks, bool isFirst, ref TState state, out TResult result)
        {
            state = next(isFirst ? seed : state, value);
            result = makeResult(value, state);
            return true;
        }

        public void Forget(ref TState state)
        {
        }

        public void Write(StateWriter writer, in TState state) => StateCodec.Require<TState>().Write(writer, state);

        public TState Read(StateReader reader) => StateCodec.Require<TState>().Read(reader);
    }
}
