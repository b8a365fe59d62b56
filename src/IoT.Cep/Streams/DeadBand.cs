using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

public static partial class EventStreamExtensions
{
    /// <summary>
    /// Keeps an event whose value is more than a band away from that of the last one kept of its key, and a key's first: a slow drift is kept as well as a
    /// jump, noise within the band is not. In order of event time, when the watermark reaches the event. Remembers one value and time for each
    /// key until <paramref name="forgetAfter"/>. Late events are left out and counted. The events lose their identity: a store appends them.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="value">What is compared. A NaN is away from every number, and not from another NaN.</param>
    /// <param name="band">How far, in the unit of the value: 0 keeps every change.</param>
    /// <param name="atLeastEvery">An event so long after the last one kept is kept whatever its value, as a sign of life. Never by default.</param>
    /// <param name="forgetAfter">A key without an event for so long is forgotten: its next event is kept. 7 days by default; it bounds the state.</param>
    /// <param name="text">The selector's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public static IKeyedStream<TKey, T> DeadBand<TKey, T>(
        this IKeyedStream<TKey, T> stream, Func<T, double> value, double band, TimeSpan? atLeastEvery = null, TimeSpan? forgetAfter = null,
        [CallerArgumentExpression(nameof(value))] string text = "")
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(value);
        if (!(band >= 0 && double.IsFinite(band)))
        {
            throw new ArgumentOutOfRangeException(nameof(band), band, "A dead band is 0 or more, in the unit of the value.");
        }

        stream.Node.RequireAppendOnly("DeadBand");
        return new KeyedStream<TKey, T>(
            new DeadBandNode<TKey, T>(
                stream.Node, stream.Key, value, band, atLeastEvery is { } every ? Positive(every, nameof(atLeastEvery)) : null,
                Positive(forgetAfter ?? _defaultForgetAfter, nameof(forgetAfter)), StreamExtensions.Shorten(text)),
            stream.Key.InSourceTime);
    }

    /// <summary>The same over all events, without a key.</summary>
    /// <inheritdoc cref="DeadBand{TKey, T}"/>
    public static IEventStream<T> DeadBand<T>(
        this IEventStream<T> stream, Func<T, double> value, double band, TimeSpan? atLeastEvery = null, TimeSpan? forgetAfter = null,
        [CallerArgumentExpression(nameof(value))] string text = "") => stream.Unkeyed().DeadBand(value, band, atLeastEvery, forgetAfter, text);
}

internal sealed record DeadBandNode<TKey, T>(
    StreamNode<T> Source, KeySelector<TKey, T> Key, Func<T, double> Value, double Band, TimeSpan? AtLeastEvery, TimeSpan ForgetAfter, string Lambda)
    : KeyedNode<TKey, T, T>(Source, Key)
    where TKey : notnull
{
    internal override string Text =>
        $"DeadBand {Lambda} of {FormattableString.Invariant($"{Band}")}{(AtLeastEvery is { } every ? $", at least every {every}" : "")} {Key.ByTime}, forgets after {ForgetAfter}";

    internal override void Build(Plan plan, Operator<T> next) => plan.BuildKeyed(this, Input, Key, next, (output, keys) =>
        new KeyedStepOperator<TKey, T, Kept, T, Step>(
            output, plan.Query, this, ForgetAfter, new Step(Value, Band, AtLeastEvery?.Ticks ?? long.MaxValue), keys));

    /// <summary>The event that was kept last.</summary>
    private readonly record struct Kept(long Ticks, double Value);

    private readonly struct Step(Func<T, double> select, double band, long atLeastEvery) : IKeyedStep<T, Kept, T>
    {
        public bool Take(in T value, long ticks, bool isFirst, ref Kept state, out T result)
        {
            double selected = select(value);
            result = value;

            // Equal infinities are no distance apart, and their difference is NaN, which is not above the band.
            bool isKept = isFirst || Math.Abs(selected - state.Value) > band || double.IsNaN(selected) != double.IsNaN(state.Value)
                || ticks - state.Ticks >= atLeastEvery;
            if (isKept)
            {
                state = new Kept(ticks, selected);
            }

            return isKept;
        }

        public void Forget(ref Kept state)
        {
        }

        public void Write(StateWriter writer, in Kept state)
        {
            writer.Int64(state.Ticks);
            writer.Double(state.Value);
        }

        public Kept Read(StateReader reader) => new(reader.Int64(), reader.Double());
    }
}
