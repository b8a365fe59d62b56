using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>Windows of which only those count that meet a condition.</summary>
/// <typeparam name="TKey">The key's type.</typeparam>
/// <typeparam name="T">The event's type.</typeparam>
public interface IFilteredWindows<TKey, T>
    where TKey : notnull
{
    internal IWindowedStream<TKey, T> Windows { get; }

    internal Func<WindowGroup<TKey, T>, bool> Condition { get; }

    internal string Text { get; }
}

/// <summary>The verbs of a condition on windows.</summary>
public static class HavingExtensions
{
    /// <summary>
    /// Keeps the windows that meet a condition. Where a window gives several results (AllowLate, Early, OnChange) and one no longer meets it after an
    /// earlier one did, the earlier one is taken back; sinks that can't do so refuse the query when it is built.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="windows">The windows.</param>
    /// <param name="condition">
    /// The condition: <c>w =&gt; w.Count() &gt; 10 &amp; w.Max(r =&gt; r.Celsius) &gt; 70</c>. Like the projection it must ask for all its aggregates each time:
    /// <c>&amp;</c>, not <c>&amp;&amp;</c>.
    /// </param>
    /// <param name="text">The condition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public static IFilteredWindows<TKey, T> Having<TKey, T>(
        this IWindowedStream<TKey, T> windows, Func<WindowGroup<TKey, T>, bool> condition, [CallerArgumentExpression(nameof(condition))] string text = "")
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(windows);
        ArgumentNullException.ThrowIfNull(condition);
        return new FilteredWindows<TKey, T>(windows, condition, $"having {StreamExtensions.Shorten(text)}: ");
    }

    /// <inheritdoc cref="WindowedStreamExtensions.Select{TKey, T, TResult}"/>
    public static IEventStream<TResult> Select<TKey, T, TResult>(
        this IFilteredWindows<TKey, T> windows, Func<WindowGroup<TKey, T>, TResult> result, [CallerArgumentExpression(nameof(result))] string text = "")
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(windows);
        ArgumentNullException.ThrowIfNull(result);
        WindowedStreamExtensions.RequirePrevious(windows.Windows, "Having");
        return WindowedStreamExtensions.Projected(
            windows.Windows, new WindowProjection<TKey, T, TResult>(result, windows.Condition, null), windows.Text + StreamExtensions.Shorten(text));
    }

    /// <summary>
    /// The windows' results as a stream of changes: each tells the result that holds now and the one that held before. Nothing corrects a change, so any
    /// operator takes it. Remembers the last result of each key of an open window besides its state.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="windows">The windows.</param>
    /// <param name="result">The projection, as in <c>Select</c>.</param>
    /// <param name="text">The projection's source text, for <c>Explain</c>; the compiler fills it in.</param>
    /// <exception cref="NotSupportedException">These windows may correct their results and don't follow from time alone.</exception>
    public static IEventStream<Update<TResult>> SelectUpdates<TKey, T, TResult>(
        this IWindowedStream<TKey, T> windows, Func<WindowGroup<TKey, T>, TResult> result, [CallerArgumentExpression(nameof(result))] string text = "")
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(windows);
        return Updates(windows, null, result, StreamExtensions.Shorten(text));
    }

    /// <inheritdoc cref="SelectUpdates{TKey, T, TResult}(IWindowedStream{TKey, T}, Func{WindowGroup{TKey, T}, TResult}, string)"/>
    public static IEventStream<Update<TResult>> SelectUpdates<TKey, T, TResult>(
        this IFilteredWindows<TKey, T> windows, Func<WindowGroup<TKey, T>, TResult> result, [CallerArgumentExpression(nameof(result))] string text = "")
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(windows);
        return Updates(windows.Windows, windows.Condition, result, windows.Text + StreamExtensions.Shorten(text));
    }

    private static IEventStream<Update<TResult>> Updates<TKey, T, TResult>(
        IWindowedStream<TKey, T> windows, Func<WindowGroup<TKey, T>, bool>? condition, Func<WindowGroup<TKey, T>, TResult> result, string text)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(result);
        WindowedStreamExtensions.RequirePrevious(windows, "SelectUpdates");
        return WindowedStreamExtensions.Projected(
            windows,
            new WindowProjection<TKey, T, Update<TResult>>(
                w => new Update<TResult>(result(w), default, w.Firing, w.Revision) { HasCurrent = true }, condition, new Updates<TResult>()),
            "updates of " + text);
    }

    private sealed record FilteredWindows<TKey, T>(IWindowedStream<TKey, T> Windows, Func<WindowGroup<TKey, T>, bool> Condition, string Text)
        : IFilteredWindows<TKey, T>
        where TKey : notnull;
}
