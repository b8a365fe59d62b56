using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// The aggregates of a window beside count, sum, average, minimum and maximum. Each is one accumulator for a key and window, shared by all that ask for the
/// same selector and parameters; docs/aggregates.md has their formulas, errors and costs in one table.
/// </summary>
public static partial class WindowAggregates
{
    /// <summary>How many values an aggregate that keeps them keeps for each key and window, unless told otherwise: 160 KB of times and numbers.</summary>
    private const int DefaultLimit = 10_000;

    /// <summary>The value of the earliest event by event time, wherever in the window it arrived; of several at one time, of the first to arrive.</summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TValue">The value's type.</typeparam>
    /// <param name="window">The window.</param>
    /// <param name="value">The value of an event.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public static TValue First<TKey, T, TValue>(
        this WindowGroup<TKey, T> window, Func<T, TValue> value, [CallerArgumentExpression(nameof(value))] string text = "") =>
        window.Result<TValue, FirstValue<TValue>, Timed<TValue, FirstValue<TValue>>>(default, value, text).Value;

    /// <summary>The value of the latest event by event time, wherever in the window it arrived; of several at one time, of the last to arrive.</summary>
    /// <inheritdoc cref="First{TKey, T, TValue}"/>
    public static TValue Last<TKey, T, TValue>(
        this WindowGroup<TKey, T> window, Func<T, TValue> value, [CallerArgumentExpression(nameof(value))] string text = "") =>
        window.Result<TValue, LastValue<TValue>, Timed<TValue, LastValue<TValue>>>(default, value, text).Value;

    /// <summary>
    /// The event with the least value; of equal ones the earliest, and of those at one time the first to arrive. A NaN is the least; null is
    /// behind all others. Text is compared by its code units.
    /// </summary>
    /// <inheritdoc cref="First{TKey, T, TValue}"/>
    public static T MinBy<TKey, T, TValue>(
        this WindowGroup<TKey, T> window, Func<T, TValue> value, [CallerArgumentExpression(nameof(value))] string text = "")
        where TValue : IComparable<TValue>? =>
        window.Result<TValue, T, ExtremeBy<T, TValue, Least>, Timed<(TValue, T), ExtremeBy<T, TValue, Least>>>(
            default, value, Itself<T>.Function, text, "").Value;

    /// <summary>
    /// The event with the greatest value; of equal ones the earliest, and of those at one time the first to arrive. A NaN is the greatest; null is
    /// behind all others. Text is compared by its code units.
    /// </summary>
    /// <inheritdoc cref="First{TKey, T, TValue}"/>
    public static T MaxBy<TKey, T, TValue>(
        this WindowGroup<TKey, T> window, Func<T, TValue> value, [CallerArgumentExpression(nameof(value))] string text = "")
        where TValue : IComparable<TValue>? =>
        window.Result<TValue, T, ExtremeBy<T, TValue, Greatest>, Timed<(TValue, T), ExtremeBy<T, TValue, Greatest>>>(
            default, value, Itself<T>.Function, text, "").Value;

    /// <summary>
    /// The values in order of event time, those at one time in order of arrival. The one aggregate that keeps every value: a small window, or a small
    /// <paramref name="max"/>. Makes an array for each result.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TValue">The value's type.</typeparam>
    /// <param name="window">The window.</param>
    /// <param name="value">The value of an event.</param>
    /// <param name="max">How many values at most for each key and window.</param>
    /// <param name="whenFull">What happens to more of them. The latest cost up to twice the memory.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public static TValue[] Collect<TKey, T, TValue>(
        this WindowGroup<TKey, T> window, Func<T, TValue> value, int max = DefaultLimit, WhenFull whenFull = WhenFull.Fail,
        [CallerArgumentExpression(nameof(value))] string text = "")
    {
        var samples = window.SamplesOf(value, max, whenFull, text).Samples;
        var values = new TValue[samples.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = samples[i].Value;
        }

        return values;
    }

    private static TimedSamples<TValue> SamplesOf<TKey, T, TValue>(
        this WindowGroup<TKey, T> window, Func<T, TValue> value, int max, WhenFull whenFull, string text)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(max, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(max, Array.MaxLength / 4);
        return window.Result<TValue, TimedSamples<TValue>, Timed<TValue, TimedSamples<TValue>>>(new TimedSamples<TValue>(max, whenFull), value, text);
    }

    private static class Itself<T>
    {
        internal static readonly Func<T, T> Function = static value => value;
    }
}
