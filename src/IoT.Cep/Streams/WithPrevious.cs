using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

public static partial class EventStreamExtensions
{
    private const int MaxPrevious = 1_000;

    /// <summary>
    /// Puts each event beside the one before it of its key, in order of event time, when the watermark reaches the event; the result's time is the
    /// event's. A key's first event has none before it and gives nothing. Remembers one event for each key until <paramref name="forgetAfter"/>.
    /// Late events are left out and counted.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="result">Makes the result of the previous event and this one: <c>(previous, current) =&gt; current.Celsius - previous.Celsius</c>.</param>
    /// <param name="forgetAfter">A key without an event for so long is forgotten: its next event is a first one. 7 days by default; it bounds the state.</param>
    /// <param name="text">The source text of <paramref name="result"/>, for <c>Explain</c>; the compiler fills it in.</param>
    public static IEventStream<TResult> WithPrevious<TKey, T, TResult>(
        this IKeyedStream<TKey, T> stream, Func<T, T, TResult> result, TimeSpan? forgetAfter = null, [CallerArgumentExpression(nameof(result))] string text = "")
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(result);
        stream.Node.RequireAppendOnly("WithPrevious");
        return new WithPreviousNode<TKey, T, TResult>(
            stream.Node, stream.Key, 1, IsPair: true, (previous, current) => result(previous[0], current),
            Positive(forgetAfter ?? _defaultForgetAfter, nameof(forgetAfter)), StreamExtensions.Shorten(text)).ToStream();
    }

    /// <summary>
    /// Puts each event beside those before it of its key, at most so many: fewer, or none, while there are no more. In order of event time, when
    /// the watermark reaches the event; the result's time is the event's. Remembers up to <paramref name="count"/> events for each key until
    /// <paramref name="forgetAfter"/>. Late events are left out and counted.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="count">How many previous events, 1 to 1,000: each costs its place for each key, and each event moves them by one.</param>
    /// <param name="result">
    /// Makes the result of the previous events, the oldest first (<c>previous[^1]</c> is the one just before), and this one. The span is valid only
    /// until it returns.
    /// </param>
    /// <param name="forgetAfter">A key without an event for so long is forgotten: its next event is a first one. 7 days by default; it bounds the state.</param>
    /// <param name="text">The source text of <paramref name="result"/>, for <c>Explain</c>; the compiler fills it in.</param>
    public static IEventStream<TResult> WithPrevious<TKey, T, TResult>(
        this IKeyedStream<TKey, T> stream, int count, Func<ReadOnlySpan<T>, T, TResult> result, TimeSpan? forgetAfter = null,
        [CallerArgumentExpression(nameof(result))] string text = "")
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(result);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, MaxPrevious);
        stream.Node.RequireAppendOnly("WithPrevious");
        return new WithPreviousNode<TKey, T, TResult>(
            stream.Node, stream.Key, count, IsPair: false, result, Positive(forgetAfter ?? _defaultForgetAfter, nameof(forgetAfter)), StreamExtensions.Shorten(text))
            .ToStream();
    }

    /// <summary>The same over all events, without a key.</summary>
    /// <inheritdoc cref="WithPrevious{TKey, T, TResult}(IKeyedStream{TKey, T}, Func{T, T, TResult}, TimeSpan?, string)"/>
    public static IEventStream<TResult> WithPrevious<T, TResult>(
        this IEventStream<T> stream, Func<T, T, TResult> result, TimeSpan? forgetAfter = null, [CallerArgumentExpression(nameof(result))] string text = "") =>
        stream.Unkeyed().WithPrevious(result, forgetAfter, text);

    /// <summary>The same over all events, without a key.</summary>
    /// <inheritdoc cref="WithPrevious{TKey, T, TResult}(IKeyedStream{TKey, T}, int, Func{ReadOnlySpan{T}, T, TResult}, TimeSpan?, string)"/>
    public static IEventStream<TResult> WithPrevious<T, TResult>(
        this IEventStream<T> stream, int count, Func<ReadOnlySpan<T>, T, TResult> result, TimeSpan? forgetAfter = null,
        [CallerArgumentExpression(nameof(result))] string text = "") => stream.Unkeyed().WithPrevious(count, result, forgetAfter, text);
}

internal sealed record WithPreviousNode<TKey, T, TResult>(
    StreamNode<T> Source, KeySelector<TKey, T> Key, int Count, bool IsPair, Func<ReadOnlySpan<T>, T, TResult> Result, TimeSpan ForgetAfter, string Lambda)
    : KeyedNode<TKey, T, TResult>(Source, Key)
    where TKey : notnull
{
    internal override string Text => $"WithPrevious {(IsPair ? "" : $"{Count} ")}{Lambda} {Key.ByTime}, forgets after {ForgetAfter}";

    internal override void Build(Plan plan, Operator<TResult> next) => plan.BuildKeyed(this, Input, Key, next, (output, keys) =>
        new KeyedStepOperator<TKey, T, Previous, TResult, Step>(output, plan.Query, this, ForgetAfter, new Step(Count, IsPair, Result, new Stack<T[]>()), keys));

    /// <summary>The last events of a key, the oldest first.</summary>
    internal struct Previous
    {
        internal T[] Events;
        internal int Count;
    }

    internal readonly struct Step(int count, bool isPair, Func<ReadOnlySpan<T>, T, TResult> makeResult, Stack<T[]> free) : IKeyedStep<T, Previous, TResult>
    {
        // Enough for keys that come and go between two watermarks; more would keep the memory of a burst.
        private const int MaxFree = 4_096;

        public bool Take(in T value, long ticks, bool isFirst, ref Previous state, out TResult result)
        {
            bool emits = !isFirst || !isPair;
            result = emits ? makeResult(state.Events.AsSpan(0, state.Count), value) : default!;
            state.Events ??= free.Count > 0 ? free.Pop() : new T[count];
            if (state.Count == count)
            {
                state.Events.AsSpan(1).CopyTo(state.Events);
                state.Count--;
            }

            state.Events[state.Count++] = value;
            return emits;
        }

        public void Forget(ref Previous state)
        {
            if (free.Count < MaxFree)
            {
                state.Events.AsSpan(0, state.Count).Clear();
                free.Push(state.Events);
            }
        }

        public void Write(StateWriter writer, in Previous state)
        {
            var codec = StateCodec.Require<T>();
            writer.Int32(state.Count);
            foreach (var value in state.Events.AsSpan(0, state.Count))
            {
                codec.Write(writer, value);
            }
        }

        public Previous Read(StateReader reader)
        {
            var codec = StateCodec.Require<T>();
            int saved = reader.Int32();
            var state = new Previous { Events = new T[count] };
            for (int i = 0; i < saved; i++)
            {
                // The newest stay where the query now asks for fewer than it did.
                var value = codec.Read(reader);
                if (i >= saved - count)
                {
                    state.Events[state.Count++] = value;
                }
            }

            return state;
        }
    }
}
