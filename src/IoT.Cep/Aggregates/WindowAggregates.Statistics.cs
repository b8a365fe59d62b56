using System.Runtime.CompilerServices;

namespace IoT.Cep;

public static partial class WindowAggregates
{
    /// <summary>
    /// The sample variance (divided by n - 1): an estimate of that of the process behind the values. NaN of fewer than two values, and where a value is NaN
    /// or infinite. Stable: it never subtracts two large sums.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="window">The window.</param>
    /// <param name="value">The value of an event.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public static double Variance<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> value, [CallerArgumentExpression(nameof(value))] string text = "") =>
        window.DeviationOf(value, text).Sample;

    /// <summary>The population variance (divided by n): that of exactly these values. NaN where a value is NaN or infinite.</summary>
    /// <inheritdoc cref="Variance{TKey, T}"/>
    public static double PopulationVariance<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> value, [CallerArgumentExpression(nameof(value))] string text = "") =>
        window.DeviationOf(value, text).Population;

    /// <summary>The square root of the sample variance, in the unit of the values. NaN of fewer than two values.</summary>
    /// <inheritdoc cref="Variance{TKey, T}"/>
    public static double StandardDeviation<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> value, [CallerArgumentExpression(nameof(value))] string text = "") =>
        Math.Sqrt(window.DeviationOf(value, text).Sample);

    /// <summary>The square root of the population variance, in the unit of the values.</summary>
    /// <inheritdoc cref="Variance{TKey, T}"/>
    public static double PopulationStandardDeviation<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> value, [CallerArgumentExpression(nameof(value))] string text = "") =>
        Math.Sqrt(window.DeviationOf(value, text).Population);

    /// <summary>The sample covariance (divided by n - 1) of two values of each event. NaN of fewer than two events.</summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="window">The window.</param>
    /// <param name="x">One value of an event.</param>
    /// <param name="y">The other value.</param>
    /// <param name="xText">The selector's source text; the compiler fills it in.</param>
    /// <param name="yText">The other's; the compiler fills it in.</param>
    public static double Covariance<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> x, Func<T, double> y,
        [CallerArgumentExpression(nameof(x))] string xText = "", [CallerArgumentExpression(nameof(y))] string yText = "") =>
        window.CoMomentsOf(x, y, xText, yText).Sample;

    /// <summary>The population covariance (divided by n) of two values of each event.</summary>
    /// <inheritdoc cref="Covariance{TKey, T}"/>
    public static double PopulationCovariance<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> x, Func<T, double> y,
        [CallerArgumentExpression(nameof(x))] string xText = "", [CallerArgumentExpression(nameof(y))] string yText = "") =>
        window.CoMomentsOf(x, y, xText, yText).Population;

    /// <summary>Pearson's correlation of two values of each event, from -1 to 1. NaN where one of both does not vary.</summary>
    /// <inheritdoc cref="Covariance{TKey, T}"/>
    public static double Correlation<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> x, Func<T, double> y,
        [CallerArgumentExpression(nameof(x))] string xText = "", [CallerArgumentExpression(nameof(y))] string yText = "") =>
        window.CoMomentsOf(x, y, xText, yText).Correlation;

    /// <summary>The line of least squares of y over x. NaN where x does not vary.</summary>
    /// <inheritdoc cref="Covariance{TKey, T}"/>
    public static LinearFit LinearRegression<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> x, Func<T, double> y,
        [CallerArgumentExpression(nameof(x))] string xText = "", [CallerArgumentExpression(nameof(y))] string yText = "") =>
        window.CoMomentsOf(x, y, xText, yText).Fit();

    /// <summary>
    /// The line of least squares of a value over event time: its slope is the change a second, its intercept the line's value at the window's start.
    /// NaN where all events have one time. Needs no order, so late and shuffled events cost nothing more.
    /// </summary>
    /// <inheritdoc cref="Variance{TKey, T}"/>
    public static LinearFit Trend<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> value, [CallerArgumentExpression(nameof(value))] string text = "") =>
        window.Result<double, TrendMoments, Timed<double, TrendMoments>>(default, value, text).Fit(window.StartTicks);

    /// <summary>
    /// An average in which an event weighs half as much for each half-life that it is older than the window's latest event. It weighs events, not the time
    /// that their values held; needs no order.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="window">The window.</param>
    /// <param name="value">The value of an event.</param>
    /// <param name="halfLife">After how long an event weighs half.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public static double ExponentialAverage<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> value, TimeSpan halfLife, [CallerArgumentExpression(nameof(value))] string text = "")
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(halfLife, TimeSpan.Zero);
        return window.Result<double, DecayingAverage, Timed<double, DecayingAverage>>(new DecayingAverage(halfLife.Ticks), value, text).Value;
    }

    private static Deviation DeviationOf<TKey, T>(this WindowGroup<TKey, T> window, Func<T, double> value, string text) =>
        window.Result<double, Deviation, Untimed<double, Deviation>>(default, value, text);

    private static CoMoments CoMomentsOf<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> x, Func<T, double> y, string xText, string yText) =>
        window.Result<double, double, CoMoments, Untimed<(double, double), CoMoments>>(default, x, y, xText, yText);
}
