using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// A stream cut into windows. Not an observable: a window has no elements of its own, so <c>Select</c> and <c>Aggregate</c> mean windows.
/// </summary>
/// <typeparam name="TKey">The key's type.</typeparam>
/// <typeparam name="T">The event's type.</typeparam>
public interface IWindowedStream<TKey, T>
    where TKey : notnull
{
    internal IKeyedStream<TKey, T> Source { get; }

    internal WindowSpec Spec { get; }
}

/// <summary>The verbs of windows.</summary>
public static class WindowedStreamExtensions
{
    /// <summary>Cuts each key's events into windows.</summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="window">The windows: <c>Window.Tumbling(TimeSpan.FromSeconds(10))</c>.</param>
    public static IWindowedStream<TKey, T> Window<TKey, T>(this IKeyedStream<TKey, T> stream, WindowSpec window)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(window);
        stream.Node.RequireAppendOnly("Window");
        return new Windowed<TKey, T>(stream, window);
    }

    /// <summary>Cuts all events into windows, without a key.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="window">The windows.</param>
    public static IWindowedStream<Unit, T> Window<T>(this IEventStream<T> stream, WindowSpec window) =>
        stream.Unkeyed().Window(window);

    /// <summary>Cuts each key's events into windows that ask about the events themselves.</summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="window">The windows: <c>Window.Between&lt;Reading&gt;(...)</c> or <c>Window.Global(trigger)</c>.</param>
    public static IWindowedStream<TKey, T> Window<TKey, T>(this IKeyedStream<TKey, T> stream, WindowSpec<T> window)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(window);
        return stream.Window(window.Windows);
    }

    /// <summary>Cuts all events into windows that ask about the events themselves, without a key.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="window">The windows.</param>
    public static IWindowedStream<Unit, T> Window<T>(this IEventStream<T> stream, WindowSpec<T> window)
    {
        ArgumentNullException.ThrowIfNull(window);
        return stream.Window(window.Windows);
    }

    /// <summary>Gives the events that no window takes any more, because its end and the allowed lateness have passed.</summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="windows">The windows.</param>
    /// <param name="late">The late events.</param>
    public static IWindowedStream<TKey, T> Late<TKey, T>(this IWindowedStream<TKey, T> windows, out IEventStream<T> late)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(windows);
        if (windows.Spec.MovesLate)
        {
            throw new ArgumentException("LateIntoOpen moves late events into windows, so none are left for Late(out ...). Use one of the two.", nameof(windows));
        }

        var key = windows.Source.Key;
        late = key.Timeline is null
            ? new LateNode<T>(windows.Source.Node, windows.Spec).ToStream()
            : new LateOfKeyNode<TKey, T>(windows.Source.Node, key, windows.Spec).ToStream();
        return windows;
    }

    /// <summary>
    /// One result for each window that has events, when the watermark reaches its end (and again for each late event that is allowed).
    /// Remembers one small state for each key of an open window, and no event. The result's time is the window's last instant.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="windows">The windows.</param>
    /// <param name="result">
    /// The projection: <c>w =&gt; new Summary(w.Key, w.Start, w.Count(), w.Average(r =&gt; r.Celsius))</c>. It is run once more than there are
    /// windows, on the first event, to find its aggregates: it must ask for all of them each time.
    /// </param>
    /// <param name="text">The projection's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public static IEventStream<TResult> Select<TKey, T, TResult>(
        this IWindowedStream<TKey, T> windows, Func<WindowGroup<TKey, T>, TResult> result, [CallerArgumentExpression(nameof(result))] string text = "")
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(windows);
        ArgumentNullException.ThrowIfNull(result);
        return Projected(windows, new WindowProjection<TKey, T, TResult>(result, null, null), StreamExtensions.Shorten(text));
    }

    /// <summary>The same with an accumulator of one's own, which is called once for each event without a delegate.</summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TAccumulator">The accumulator's type.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="windows">The windows.</param>
    /// <param name="seed">The empty accumulator.</param>
    /// <param name="result">The projection.</param>
    public static IEventStream<TResult> Aggregate<TKey, T, TAccumulator, TResult>(
        this IWindowedStream<TKey, T> windows, TAccumulator seed, Func<WindowInfo<TKey>, TAccumulator, TResult> result)
        where TKey : notnull
        where TAccumulator : struct, IAccumulator<T, TAccumulator>
    {
        ArgumentNullException.ThrowIfNull(windows);
        ArgumentNullException.ThrowIfNull(result);
        return Aggregated<TKey, T, TAccumulator, Untimed<T, TAccumulator>, TResult>(windows, seed, result);
    }

    /// <summary>Refuses what needs the result that a correction replaces, where the windows' operator does not remember it.</summary>
    internal static void RequirePrevious<TKey, T>(IWindowedStream<TKey, T> windows, string verb)
        where TKey : notnull
    {
        if (!windows.Spec.IsUpdating)
        {
            return;
        }

        if (windows.Spec is not TimeWindows)
        {
            throw new NotSupportedException(
                $"{verb} with corrections is for windows that follow from time alone (tumbling, hopping, calendar), not for '{windows.Spec}'. Leave AllowLate out.");
        }
    }

    /// <summary>The key of the operator that runs these windows: with its timeline where the operator keeps the times itself, without where each key has an operator.</summary>
    private static KeySelector<TKey, T> KeyOfOperator<TKey, T>(IWindowedStream<TKey, T> windows, bool needsPrevious)
        where TKey : notnull => windows.Spec.CanKeepKeyTime && !(windows.Spec.IsUpdating && needsPrevious)
            ? windows.Source.Key : windows.Source.Key.InSourceTime;

    internal static IEventStream<TResult> Projected<TKey, T, TResult>(
        IWindowedStream<TKey, T> windows, WindowProjection<TKey, T, TResult> projection, string text)
        where TKey : notnull
    {
        var key = KeyOfOperator(windows, projection.Having is not null || projection.Updates is not null);
        return new WindowNode<TKey, T, TResult>(
            windows.Source.Node, windows.Source.Key, windows.Spec, text,
            (next, query, keys, identity) => new ProjectionOperator<TKey, T, TResult>(
                next, query, windows.Spec, key, projection, keys, identity, windows.Source.Node.IsOrdered))
        {
            HasCondition = projection.Having is not null,
            GivesUpdates = projection.Updates is not null,
            KeepsKeyTime = key.Timeline is not null,
        }.ToStream();
    }

    internal static IEventStream<TResult> Aggregated<TKey, T, TAccumulator, TFeed, TResult>(
        IWindowedStream<TKey, T> windows, TAccumulator seed, Func<WindowInfo<TKey>, TAccumulator, TResult> result)
        where TKey : notnull
        where TAccumulator : struct
        where TFeed : struct, IFeed<T, TAccumulator>
    {
        var key = KeyOfOperator(windows, needsPrevious: false);
        return new WindowNode<TKey, T, TResult>(
            windows.Source.Node, windows.Source.Key, windows.Spec, typeof(TAccumulator).Name,
            (next, query, keys, identity) => new WindowParts<TKey, T, Seeded<TAccumulator>, Unit, AccumulatorKernel<T, TAccumulator, TFeed>, TResult>(
                next, query, windows.Spec, key, new AccumulatorKernel<T, TAccumulator, TFeed>(seed),
                new AccumulatedResult<TKey, TAccumulator, TResult>(result), keys, identity, windows.Source.Node.IsOrdered).Build())
        {
            KeepsKeyTime = key.Timeline is not null,
        }.ToStream();
    }

    private sealed record Windowed<TKey, T>(IKeyedStream<TKey, T> Source, WindowSpec Spec) : IWindowedStream<TKey, T>
        where TKey : notnull;
}

/// <summary>The verb of accumulators to which the time of an event matters.</summary>
public static class TimedWindowedStreamExtensions
{
    /// <inheritdoc cref="WindowedStreamExtensions.Aggregate{TKey, T, TAccumulator, TResult}"/>
    public static IEventStream<TResult> Aggregate<TKey, T, TAccumulator, TResult>(
        this IWindowedStream<TKey, T> windows, TAccumulator seed, Func<WindowInfo<TKey>, TAccumulator, TResult> result)
        where TKey : notnull
        where TAccumulator : struct, ITimedAccumulator<T, TAccumulator>
    {
        ArgumentNullException.ThrowIfNull(windows);
        ArgumentNullException.ThrowIfNull(result);
        return WindowedStreamExtensions.Aggregated<TKey, T, TAccumulator, Timed<T, TAccumulator>, TResult>(windows, seed, result);
    }
}

internal delegate Operator<T> MakeWindow<T, TResult>(Operator<TResult> next, QueryContext query, KeyRange keys, bool identity);

internal sealed record WindowNode<TKey, T, TResult>(
    StreamNode<T> Source, KeySelector<TKey, T> Key, WindowSpec Spec, string Result, MakeWindow<T, TResult> Make) : StreamNode<T, TResult>(Source)
    where TKey : notnull
{
    internal override string Text => $"Window {Spec} {Key.ByTime}: {Result}";

    internal override int Depth => Input.Depth + 1;

    internal override bool IsStateless => false;

    /// <summary>Whether a condition stands before the projection.</summary>
    internal bool HasCondition { get; init; }

    /// <summary>Whether each correction is a result of its own that tells what it replaces.</summary>
    internal bool GivesUpdates { get; init; }

    /// <summary>Whether its operator keeps the times of keys itself.</summary>
    internal bool KeepsKeyTime { get; init; }

    internal override bool HasIdentity => !GivesUpdates;

    // Keys with a time of their own are not in order with one another.
    internal override bool IsOrdered => !Spec.IsUpdating && Key.Timeline is null && Key.WhenFull != WhenKeysFull.EvictIdle;

    internal override bool IsUpdating => Spec.IsUpdating && !GivesUpdates;

    internal override bool CanRetract => IsUpdating && (HasCondition || Spec.CanRetract);

    internal override void Build(Plan plan, Operator<TResult> next)
    {
        plan.Query.HasCorrections |= Spec.IsUpdating;
        if (Spec.IsEarly || Key.WhenFull == WhenKeysFull.EvictIdle)
        {
            plan.Query.EventsPerWatermark = 1;
        }

        plan.BuildKeyed(
            this, Input, Key, next, (output, keys) => InOrder(Make(output, plan.Query, keys, plan.WantsIdentity && !GivesUpdates), plan.Query, keys), KeepsKeyTime, Spec);
    }

    private Operator<T> InOrder(Operator<T> windows, QueryContext query, KeyRange keys) =>
        Spec.NeedsOrder ? new SortOperator<T>(windows, query, Input.IsOrdered, value => keys.Owns(Key.Select, value)) : windows;
}
