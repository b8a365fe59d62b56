using System.Runtime.CompilerServices;

namespace IoT.Cep;

public static partial class WindowAggregates
{
    /// <summary>The exact median: the 0.5 quantile.</summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="window">The window.</param>
    /// <param name="value">The value of an event.</param>
    /// <param name="maxValues">How many values at most are kept, 8 bytes each; with more the result is an <see cref="AggregateLimitException"/>.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public static double Median<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> value, int maxValues = DefaultLimit,
        [CallerArgumentExpression(nameof(value))] string text = "") => window.ExactOf(value, maxValues, text).Quantile(0.5);

    /// <summary>
    /// An exact quantile, between two values in proportion (as SQL's percentile_cont). Keeps every value and sorts them for each result; NaN where a
    /// value is NaN.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="window">The window.</param>
    /// <param name="value">The value of an event.</param>
    /// <param name="part">Which part of the values lies below it, from 0 (the least) to 1 (the greatest).</param>
    /// <param name="maxValues">How many values at most are kept, 8 bytes each; with more the result is an <see cref="AggregateLimitException"/>.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public static double Quantile<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> value, double part, int maxValues = DefaultLimit,
        [CallerArgumentExpression(nameof(value))] string text = "")
    {
        RequirePart(part);
        return window.ExactOf(value, maxValues, text).Quantile(part);
    }

    /// <summary>Several exact quantiles for one sort: <c>w.Quantiles(r =&gt; r.Celsius, [0.05, 0.5, 0.95])</c>.</summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="window">The window.</param>
    /// <param name="value">The value of an event.</param>
    /// <param name="parts">Which parts of the values lie below them, from 0 to 1.</param>
    /// <param name="maxValues">How many values at most are kept, 8 bytes each; with more the result is an <see cref="AggregateLimitException"/>.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public static double[] Quantiles<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> value, ReadOnlySpan<double> parts, int maxValues = DefaultLimit,
        [CallerArgumentExpression(nameof(value))] string text = "")
    {
        foreach (double part in parts)
        {
            RequirePart(part);
        }

        double[] results = new double[parts.Length];
        window.ExactOf(value, maxValues, text).Quantiles(parts, results);
        return results;
    }

    /// <summary>
    /// A quantile whose value is off by at most a part of itself, however many values there are: DDSketch. At 1 % a key takes 8 bytes for each 2 % step
    /// between its least and greatest magnitude, at most 32 KB. NaN where a value is NaN.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="window">The window.</param>
    /// <param name="value">The value of an event.</param>
    /// <param name="part">Which part of the values lies below it, from 0 (the least) to 1 (the greatest).</param>
    /// <param name="relativeError">
    /// The error as a part of the value. Magnitudes less than the 1 / 6e17 part (at 1 %) of the greatest one share a bucket, beyond the error.
    /// </param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public static double ApproximateQuantile<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> value, double part, double relativeError = 0.01,
        [CallerArgumentExpression(nameof(value))] string text = "")
    {
        RequirePart(part);
        ArgumentOutOfRangeException.ThrowIfLessThan(relativeError, 0.0001);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(relativeError, 0.5);
        return window.Result<double, QuantileSketch, Untimed<double, QuantileSketch>>(new QuantileSketch(relativeError), value, text).Quantile(part);
    }

    /// <summary>How many different values, exactly. Keeps each of them once.</summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TValue">The value's type, by its own equality.</typeparam>
    /// <param name="window">The window.</param>
    /// <param name="value">The value of an event.</param>
    /// <param name="maxValues">How many different values at most; with more the result is an <see cref="AggregateLimitException"/>.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public static int DistinctCount<TKey, T, TValue>(
        this WindowGroup<TKey, T> window, Func<T, TValue> value, int maxValues = DefaultLimit,
        [CallerArgumentExpression(nameof(value))] string text = "")
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxValues, 1);
        return window.Result<TValue, DistinctValues<TValue>, Untimed<TValue, DistinctValues<TValue>>>(
            new DistinctValues<TValue>(maxValues), value, text).Count;
    }

    /// <summary>
    /// How many different values, within a standard error (two thirds of results are within it, 95 % within twice as much): HyperLogLog. At 2 % a key takes
    /// 4 bytes for each different value, from 257 on 4 KB. Numbers, text, enums, times and GUIDs are hashed without allocation; any other type by
    /// its printed form.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TValue">The value's type.</typeparam>
    /// <param name="window">The window.</param>
    /// <param name="value">The value of an event.</param>
    /// <param name="standardError">From 0.0021 to 0.26; half of it is four times the memory.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public static long ApproximateDistinctCount<TKey, T, TValue>(
        this WindowGroup<TKey, T> window, Func<T, TValue> value, double standardError = 0.02,
        [CallerArgumentExpression(nameof(value))] string text = "")
        where TValue : notnull
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(standardError, 0.0021);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(standardError, 0.26);
        var seed = new DistinctSketch<TValue>(DistinctSketch<TValue>.PrecisionOf(standardError));
        return (long)Math.Round(window.Result<TValue, DistinctSketch<TValue>, Untimed<TValue, DistinctSketch<TValue>>>(seed, value, text).Estimate());
    }

    /// <summary>
    /// The most frequent values, the most frequent first: Space-Saving. Of n events a count is never too low and at most n / counters too high, which each
    /// result says; every value more frequent than that is counted. Exact while there are no more different values than counters.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TValue">The value's type.</typeparam>
    /// <param name="window">The window.</param>
    /// <param name="value">The value of an event.</param>
    /// <param name="k">How many values are given at most.</param>
    /// <param name="counters">How many values are counted at a time, about 50 bytes each; ten times k and at least 100, unless told otherwise.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public static HeavyHitter<TValue>[] TopK<TKey, T, TValue>(
        this WindowGroup<TKey, T> window, Func<T, TValue> value, int k, int? counters = null, [CallerArgumentExpression(nameof(value))] string text = "")
        where TValue : notnull
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(k, 100_000);
        int held = counters ?? Math.Max(100, 10 * k);
        ArgumentOutOfRangeException.ThrowIfLessThan(held, k, nameof(counters));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(held, 1_000_000, nameof(counters));
        return window.Result<TValue, HeavyHitters<TValue>, Untimed<TValue, HeavyHitters<TValue>>>(new HeavyHitters<TValue>(held), value, text).Top(k);
    }

    /// <summary>How many values fall between which borders. Makes one array for each result.</summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="window">The window.</param>
    /// <param name="value">The value of an event.</param>
    /// <param name="bounds">The borders, made once outside the projection: <c>HistogramBounds.Linear(0, 10, 12)</c>.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public static Histogram Histogram<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> value, HistogramBounds bounds, [CallerArgumentExpression(nameof(value))] string text = "")
    {
        ArgumentNullException.ThrowIfNull(bounds);
        return window.Result<double, HistogramCounts, Untimed<double, HistogramCounts>>(new HistogramCounts(bounds), value, text).Result;
    }

    private static ExactValues ExactOf<TKey, T>(this WindowGroup<TKey, T> window, Func<T, double> value, int maxValues, string text)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxValues, 1);
        return window.Result<double, ExactValues, Untimed<double, ExactValues>>(new ExactValues(maxValues), value, text);
    }

    private static void RequirePart(double part)
    {
        if (!(part >= 0 && part <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(part), part, "A quantile's part is from 0 to 1: 0.95, not 95.");
        }
    }
}
