using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>How a source's events get their time, and how far that time is believed.</summary>
/// <param name="Select">The event's time; null takes the batch's own column, or arrival where it has none.</param>
/// <param name="MaxDisorder">How much earlier than the latest event an event may be and still be on time.</param>
/// <param name="IdleAfter">After so long without an event, while connected and running, time goes on by itself.</param>
/// <param name="MaxFuture">A live source's event further ahead of the clock becomes a dead letter.</param>
/// <param name="Text">The selector's source text.</param>
internal sealed record EventTimeSpec<T>(
    Func<T, DateTimeOffset>? Select, TimeSpan MaxDisorder, TimeSpan IdleAfter, TimeSpan MaxFuture, string Text)
{
    internal static readonly TimeSpan DefaultIdleAfter = TimeSpan.FromSeconds(10);

    internal static readonly TimeSpan DefaultMaxFuture = TimeSpan.FromMinutes(5);

    /// <summary>The times that come with the events; where none do, the time of arrival.</summary>
    internal static EventTimeSpec<T> Default { get; } = new(null, TimeSpan.Zero, DefaultIdleAfter, DefaultMaxFuture, "");

    /// <summary>What a stream of messages has whose time nobody declared: the member marked [EventTime], else the time of arrival.</summary>
    internal static EventTimeSpec<T> OfType => StateCodec.EventTimes<T>.Select is { } select
        ? Default with { Select = select, Text = "[EventTime]" }
        : Default;

    internal bool IsArrival { get; init; }

    /// <summary>Says of an event which watermark it carries; null where the latest time makes it.</summary>
    internal Func<T, DateTimeOffset?>? Marker { get; init; }

    /// <summary>Makes a partition's own strategy; null where the latest time makes the watermark.</summary>
    internal Func<WatermarkStrategy<T>>? Strategy { get; init; }

    internal string StrategyText { get; init; } = "";

    /// <summary>Whether an event that is not late is not before any other.</summary>
    internal bool IsOrdered => IsArrival || (MaxDisorder == TimeSpan.Zero && Marker is null && Strategy is null);

    internal string Describe() => IsArrival
        ? "EventTime arrival"
        : $"EventTime {(Text.Length == 0 ? "as given" : Text)}, {(StrategyText.Length > 0 ? StrategyText : $"disorder {MaxDisorder}")}, idle after "
            + $"{(IdleAfter == TimeSpan.MaxValue ? "never" : IdleAfter)}, future {MaxFuture}";
}
