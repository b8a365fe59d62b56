using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Watermark strategies: how a stream knows that no event before a time is expected any more. Each source partition has its own, and the
/// source's watermark is the least of them.
/// </summary>
public sealed class Watermarks
{
    private Watermarks(TimeSpan maxDisorder) => MaxDisorder = maxDisorder;

    /// <summary>Time only goes up: the watermark is the latest time seen, and an event before it is late.</summary>
    public static Watermarks Monotonic { get; } = new(TimeSpan.Zero);

    internal TimeSpan MaxDisorder { get; }

    /// <summary>The watermark is the latest time seen less a bound: the usual choice.</summary>
    /// <param name="maxDisorder">How much earlier than the latest event an event may be and still be on time. Windows close that much later.</param>
    public static Watermarks BoundedDisorder(TimeSpan maxDisorder)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxDisorder, TimeSpan.Zero);
        return new Watermarks(maxDisorder);
    }

    /// <summary>
    /// The events say it themselves: a marker among them (the end of an upload, a heartbeat) carries the watermark, and other events move
    /// nothing. Until the first marker no window closes, not even by silence.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="marker">
    /// "Nothing before this comes any more", or null for an event that does not say. The marker itself is never late by what it says. Asked once
    /// for each event; a live source's marker beyond <c>maxFuture</c> is a dead letter.
    /// </param>
    /// <param name="text">The selector's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public static Watermarks<T> Punctuated<T>(Func<T, DateTimeOffset?> marker, [CallerArgumentExpression(nameof(marker))] string text = "")
    {
        ArgumentNullException.ThrowIfNull(marker);
        return new Watermarks<T>(TimeSpan.Zero) { Marker = marker, Text = $"marker {StreamExtensions.Shorten(text)}" };
    }

    /// <summary>A strategy of one's own, one object for each source partition.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="create">Makes the strategy of one partition; called again for each one that opens.</param>
    /// <param name="text">What <c>Explain</c> prints; the compiler fills it in.</param>
    public static Watermarks<T> From<T>(Func<WatermarkStrategy<T>> create, [CallerArgumentExpression(nameof(create))] string text = "")
    {
        ArgumentNullException.ThrowIfNull(create);
        return new Watermarks<T>(TimeSpan.Zero) { Create = create, Text = $"watermarks {StreamExtensions.Shorten(text)}" };
    }
}

/// <summary>A watermark strategy for one type of event; made by <see cref="Watermarks"/>.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public sealed class Watermarks<T>
{
    internal Watermarks(TimeSpan maxDisorder) => MaxDisorder = maxDisorder;

    internal TimeSpan MaxDisorder { get; }

    internal Func<T, DateTimeOffset?>? Marker { get; init; }

    internal Func<WatermarkStrategy<T>>? Create { get; init; }

    internal string Text { get; init; } = "";

    /// <summary>A strategy that needs nothing of an event but its time serves every type.</summary>
    /// <param name="watermarks">The strategy.</param>
#pragma warning disable CA2225 // the factories of Watermarks are the named way
    public static implicit operator Watermarks<T>(Watermarks watermarks)
#pragma warning restore CA2225
    {
        ArgumentNullException.ThrowIfNull(watermarks);
        return new Watermarks<T>(watermarks.MaxDisorder);
    }
}
