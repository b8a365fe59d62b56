using System.Globalization;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The one key of a stream without keys.</summary>
public readonly record struct Unit;

/// <summary>Why a window gives a result.</summary>
public enum Firing : byte
{
    /// <summary>The watermark has reached the window's end: all events are there that were not late.</summary>
    OnTime,

    /// <summary>Before the window's end: more events may come.</summary>
    Early,

    /// <summary>After the window's end, because of a late event.</summary>
    Late,

    /// <summary>
    /// The window is no more: a late event has made it part of an earlier session of its key, whose result is corrected. This result tells what was
    /// given before and holds no longer.
    /// </summary>
    Withdrawn,
}

/// <summary>What is known of a window beside its aggregates.</summary>
/// <typeparam name="TKey">The key's type.</typeparam>
public readonly struct WindowInfo<TKey>
{
    /// <summary>So much of a key is shown; a dead letter has to say more than that.</summary>
    private const int MaxKeyText = 80;

    private readonly long _start;
    private readonly long _end;

    internal WindowInfo(TKey key, long start, long end, Firing firing = Firing.OnTime, int revision = 0)
    {
        Key = key;
        _start = start;
        _end = end;
        Firing = firing;
        Revision = revision;
    }

    /// <summary>The key.</summary>
    public TKey Key { get; }

    /// <summary>The first instant inside the window, in UTC.</summary>
    public DateTimeOffset Start => Ticks.ToTime(_start);

    /// <summary>The first instant behind the window, in UTC.</summary>
    public DateTimeOffset End => Ticks.ToTime(_end);

    /// <summary>Why the window gives this result.</summary>
    public Firing Firing { get; }

    /// <summary>How many results of this window and key came before.</summary>
    public int Revision { get; }

    /// <summary>Whether this corrects a result that was given before.</summary>
    public bool IsUpdate => Revision > 0;

    internal long StartTicks => _start;

    internal long EndTicks => _end;

    /// <summary>Which window it is, for people; a key may be what a device sent.</summary>
    internal string Describe() => string.Create(
        CultureInfo.InvariantCulture,
        $"{(Key is Unit ? "" : $"key '{SafeText.Escape(Key?.ToString(), MaxKeyText)}', ")}window {Start:yyyy-MM-ddTHH:mm:ss.FFFFFFFZ} to {End:yyyy-MM-ddTHH:mm:ss.FFFFFFFZ}");
}
