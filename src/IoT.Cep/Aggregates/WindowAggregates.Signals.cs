using System.Runtime.CompilerServices;

namespace IoT.Cep;

public static partial class WindowAggregates
{
    /// <summary>
    /// The average of a signal over time: each value weighs as long as it held. <see cref="Interpolation.Step"/>: from the first sample to the window's end;
    /// <see cref="Interpolation.Linear"/>: from the first to the last sample. What was before the window is not known, so nothing is said of the time before
    /// the first sample. Of one sample, its value.
    /// </summary>
    /// <remarks>
    /// Keeps the samples in order of time, 16 bytes each, and shares them with all aggregates of signals over the same selector: late and shuffled samples
    /// count as if they had come in order. Of samples at one time the last to arrive counts.
    /// </remarks>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="window">The window.</param>
    /// <param name="value">The value of an event.</param>
    /// <param name="interpolation">What the signal did between two samples.</param>
    /// <param name="maxSamples">How many samples at most are kept; with more the result is an <see cref="AggregateLimitException"/>.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public static double TimeWeightedAverage<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> value, Interpolation interpolation = Interpolation.Step, int maxSamples = DefaultLimit,
        [CallerArgumentExpression(nameof(value))] string text = "") =>
        Signals.Average(window.SamplesOf(value, maxSamples, WhenFull.Fail, text).Samples, window.SignalEnd(), interpolation);

    /// <summary>
    /// The area under a signal in value-seconds: watts give joules (divide by 3,600,000 for kWh), litres a second give litres. Over the same time as
    /// <see cref="TimeWeightedAverage"/>; with <see cref="Interpolation.Linear"/> one sample has no area.
    /// </summary>
    /// <inheritdoc cref="TimeWeightedAverage"/>
    public static double Integral<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> value, Interpolation interpolation = Interpolation.Step, int maxSamples = DefaultLimit,
        [CallerArgumentExpression(nameof(value))] string text = "") =>
        Signals.Integral(window.SamplesOf(value, maxSamples, WhenFull.Fail, text).Samples, window.SignalEnd(), interpolation);

    /// <summary>
    /// How much a counter counted. A value below the one before it is a reset: the device began again at 0, and what it shows was counted since. Without
    /// extrapolation from the first to the last sample, and 0 of one sample: what was counted between two windows is in neither.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="window">The window.</param>
    /// <param name="value">The counter's value at an event.</param>
    /// <param name="extrapolate">
    /// Estimates what was counted between the window's borders and its samples, as Prometheus' increase does: at the same rate, up to a border that is within
    /// 1.1 mean intervals, else for half an interval, and not back beyond the time at which the counter was 0.
    /// </param>
    /// <param name="maxSamples">How many samples at most are kept; with more the result is an <see cref="AggregateLimitException"/>.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public static double Increase<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> value, bool extrapolate = false, int maxSamples = DefaultLimit,
        [CallerArgumentExpression(nameof(value))] string text = "")
    {
        var samples = window.SamplesOf(value, maxSamples, WhenFull.Fail, text).Samples;
        return extrapolate ? Counters.ExtrapolatedIncrease(samples, window.StartTicks, window.SignalEnd()) : Counters.Increase(samples);
    }

    /// <summary>
    /// How fast a counter counted, a second. Without extrapolation the increase from the first to the last sample over the time between them, NaN where that
    /// is none; with it the extrapolated increase over the window's size, as Prometheus' rate.
    /// </summary>
    /// <inheritdoc cref="Increase"/>
    public static double Rate<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> value, bool extrapolate = false, int maxSamples = DefaultLimit,
        [CallerArgumentExpression(nameof(value))] string text = "")
    {
        var samples = window.SamplesOf(value, maxSamples, WhenFull.Fail, text).Samples;
        return extrapolate ? Counters.ExtrapolatedRate(samples, window.StartTicks, window.SignalEnd()) : Counters.Rate(samples);
    }

    /// <summary>How often a counter began again: how many values are below the one before them.</summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="window">The window.</param>
    /// <param name="value">The counter's value at an event.</param>
    /// <param name="maxSamples">How many samples at most are kept; with more the result is an <see cref="AggregateLimitException"/>.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public static int Resets<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, double> value, int maxSamples = DefaultLimit,
        [CallerArgumentExpression(nameof(value))] string text = "") =>
        Counters.Resets(window.SamplesOf(value, maxSamples, WhenFull.Fail, text).Samples);

    /// <summary>
    /// How long a condition was true: an event's answer holds until the next event, the last one's until the window's end. Exact to the tick, for late and
    /// shuffled events too; of events at one time the last to arrive counts. Nothing is said of the time before the first event.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="window">The window.</param>
    /// <param name="condition">Whether it is true from an event on.</param>
    /// <param name="maxSamples">How many events at most are kept, 16 bytes each; with more the result is an <see cref="AggregateLimitException"/>.</param>
    /// <param name="text">The condition's source text; the compiler fills it in.</param>
    public static TimeSpan DurationWhere<TKey, T>(
        this WindowGroup<TKey, T> window, Func<T, bool> condition, int maxSamples = DefaultLimit,
        [CallerArgumentExpression(nameof(condition))] string text = "") =>
        Signals.DurationOfTrue(window.SamplesOf(condition, maxSamples, WhenFull.Fail, text).Samples, window.SignalEnd());

    /// <summary>How long each state was held, by the rules of <see cref="DurationWhere"/>. A state that was only there for no time has a duration of zero.</summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TState">The state's type, by its own equality.</typeparam>
    /// <param name="window">The window.</param>
    /// <param name="state">The state from an event on.</param>
    /// <param name="maxSamples">How many events at most are kept; with more the result is an <see cref="AggregateLimitException"/>.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public static IReadOnlyDictionary<TState, TimeSpan> Durations<TKey, T, TState>(
        this WindowGroup<TKey, T> window, Func<T, TState> state, int maxSamples = DefaultLimit,
        [CallerArgumentExpression(nameof(state))] string text = "")
        where TState : notnull =>
        Signals.Durations(window.SamplesOf(state, maxSamples, WhenFull.Fail, text).Samples, window.SignalEnd());

    /// <summary>A window without an end has one as far as time goes.</summary>
    private static long SignalEnd<TKey, T>(this WindowGroup<TKey, T> window) => Math.Min(window.EndTicks, Extensibility.Ticks.Max);
}
