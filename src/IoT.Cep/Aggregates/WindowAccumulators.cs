using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// Accumulators in a projection: what every aggregate that is more than count, sum, average, minimum and maximum is made with, the library's and
/// one's own.
/// </summary>
public static class WindowAccumulators
{
    /// <summary>The accumulator that took a value of each of the window's events in. Costs one virtual call and one of the selector for each event.</summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TValue">The value's type.</typeparam>
    /// <typeparam name="TAccumulator">The accumulator's type.</typeparam>
    /// <param name="window">The window.</param>
    /// <param name="seed">
    /// The empty accumulator, with its parameters. Equal seeds of one type over the same selector are one accumulator: make one that has parameters
    /// a <c>record struct</c>.
    /// </param>
    /// <param name="value">The value of an event.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public static TAccumulator Aggregate<TKey, T, TValue, TAccumulator>(
        this WindowGroup<TKey, T> window, TAccumulator seed, Func<T, TValue> value, [CallerArgumentExpression(nameof(value))] string text = "")
        where TAccumulator : struct, IAccumulator<TValue, TAccumulator> =>
        window.Result<TValue, TAccumulator, Untimed<TValue, TAccumulator>>(seed, value, text);
}

/// <summary>The same for accumulators to which the time of an event matters.</summary>
public static class TimedWindowAccumulators
{
    /// <inheritdoc cref="WindowAccumulators.Aggregate{TKey, T, TValue, TAccumulator}"/>
    public static TAccumulator Aggregate<TKey, T, TValue, TAccumulator>(
        this WindowGroup<TKey, T> window, TAccumulator seed, Func<T, TValue> value, [CallerArgumentExpression(nameof(value))] string text = "")
        where TAccumulator : struct, ITimedAccumulator<TValue, TAccumulator> =>
        window.Result<TValue, TAccumulator, Timed<TValue, TAccumulator>>(seed, value, text);
}
