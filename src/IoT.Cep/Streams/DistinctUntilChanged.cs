using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

public static partial class EventStreamExtensions
{
    /// <summary>How long a key without events is remembered where nothing else is said: as long as <c>Silent</c> does.</summary>
    private static readonly TimeSpan _defaultForgetAfter = TimeSpan.FromDays(7);

    /// <summary>
    /// Keeps an event whose value differs from that of the last one kept of its key, and a key's first; in order of event time, when the watermark
    /// reaches it. Remembers one value for each key until <paramref name="forgetAfter"/>. Late events are left out and counted. The events lose
    /// their identity: a store appends them.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TValue">The value's type; its codec saves the state.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="value">What is compared.</param>
    /// <param name="comparer">Says which values are equal; one with a tolerance makes a dead band around the value last kept. The default comparer by default.</param>
    /// <param name="forgetAfter">A key without an event for so long is forgotten: its next event is kept. 7 days by default; it bounds the state.</param>
    /// <param name="text">The selector's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public static IKeyedStream<TKey, T> DistinctUntilChanged<TKey, T, TValue>(
        this IKeyedStream<TKey, T> stream, Func<T, TValue> value, IEqualityComparer<TValue>? comparer = null, TimeSpan? forgetAfter = null,
        [CallerArgumentExpression(nameof(value))] string text = "")
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(value);
        stream.Node.RequireAppendOnly("DistinctUntilChanged");
        return new KeyedStream<TKey, T>(
            new DistinctUntilChangedNode<TKey, T, TValue>(
                stream.Node, stream.Key, value, comparer ?? EqualityComparer<TValue>.Default, Positive(forgetAfter ?? _defaultForgetAfter, nameof(forgetAfter)),
                StreamExtensions.Shorten(text)),
            stream.Key.InSourceTime);
    }

    /// <inheritdoc cref="DistinctUntilChanged{TKey, T, TValue}"/>
    /// <summary>Keeps an event that differs from the last one kept of its key, and a key's first.</summary>
    public static IKeyedStream<TKey, T> DistinctUntilChanged<TKey, T>(
        this IKeyedStream<TKey, T> stream, IEqualityComparer<T>? comparer = null, TimeSpan? forgetAfter = null)
        where TKey : notnull => stream.DistinctUntilChanged(static e => e, comparer, forgetAfter, "");

    /// <summary>The same over all events, without a key.</summary>
    /// <inheritdoc cref="DistinctUntilChanged{TKey, T, TValue}"/>
    public static IEventStream<T> DistinctUntilChanged<T, TValue>(
        this IEventStream<T> stream, Func<T, TValue> value, IEqualityComparer<TValue>? comparer = null, TimeSpan? forgetAfter = null,
        [CallerArgumentExpression(nameof(value))] string text = "") => stream.Unkeyed().DistinctUntilChanged(value, comparer, forgetAfter, text);

    /// <summary>The same over all events, without a key.</summary>
    /// <inheritdoc cref="DistinctUntilChanged{TKey, T, TValue}"/>
    public static IEventStream<T> DistinctUntilChanged<T>(
        this IEventStream<T> stream, IEqualityComparer<T>? comparer = null, TimeSpan? forgetAfter = null) =>
        stream.Unkeyed().DistinctUntilChanged(static e => e, comparer, forgetAfter, "");
}

internal sealed record DistinctUntilChangedNode<TKey, T, TValue>(
    StreamNode<T> Source, KeySelector<TKey, T> Key, Func<T, TValue> Value, IEqualityComparer<TValue> Comparer, TimeSpan ForgetAfter, string Lambda)
    : KeyedNode<TKey, T, T>(Source, Key)
    where TKey : notnull
{
    internal override string Text => $"DistinctUntilChanged {(Lambda.Length == 0 ? "" : $"{Lambda} ")}{Key.ByTime}, forgets after {ForgetAfter}";

    internal override void Build(Plan plan, Operator<T> next) => plan.BuildKeyed(this, Input, Key, next, (output, keys) =>
        new KeyedStepOperator<TKey, T, TValue, T, Step>(output, plan.Query, this, ForgetAfter, new Step(Value, Comparer), keys));

    internal readonly struct Step(Func<T, TValue> value, IEqualityComparer<TValue> comparer) : IKeyedStep<T, TValue, T>
    {
        public bool Take(in T taken, long ticks, bool isFirst, ref TValue state, out T result)
        {
            var compared = value(taken);
            result = taken;
            if (!isFirst && comparer.Equals(compared, state))
            {
                return false;
            }

            state = compared;
            return true;
        }

        public void Forget(ref TValue state)
        {
        }

        public void Write(StateWriter writer, in TValue state) => StateCodec.Require<TValue>().Write(writer, state);

        public TValue Read(StateReader reader) => StateCodec.Require<TValue>().Read(reader);
    }
}
