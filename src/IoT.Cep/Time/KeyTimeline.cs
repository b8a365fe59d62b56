using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>How each key of a stream keeps a time of its own.</summary>
/// <param name="MaxDisorder">How much earlier than the key's latest event one of its events may be and still be on time.</param>
/// <param name="IdleAfter">After so long without an event of the key, in connected running time of the source, its time goes on by itself.</param>
/// <param name="ForgetAfter">A key that was silent for so long and has nothing open is forgotten: it begins anew with its next event.</param>
internal sealed record KeyTimelineSpec(TimeSpan MaxDisorder, TimeSpan IdleAfter, TimeSpan ForgetAfter)
{
    /// <summary>
    /// How fine an operator looks for keys that have fallen silent, in running time: the sixteenth part of the idle bound is little beside it, and leaves a
    /// look over a million keys at two in a second at most.
    /// </summary>
    internal long LookEvery => Math.Max(IdleAfter.Ticks / 16, TimeSpan.TicksPerMillisecond);

    public override string ToString() => $"disorder {MaxDisorder}, idle after {(IdleAfter == TimeSpan.MaxValue ? "never" : IdleAfter)}";
}

/// <summary>
/// The time of one key, to stand in the key's entry beside its state: 32 bytes. It goes on with the key's own events, and by the silence of this key
/// alone, measured in the source's connected running time (<see cref="Operator{T}.OnRunningTime"/>). The default value is a key without events.
/// </summary>
/// <remarks>
/// Use: <see cref="Advance"/> before looking at an event and when running time has moved; compare with <see cref="Watermark"/>; then
/// <see cref="Observe"/>. Running time is told before each batch, so the same rule decides whatever the batch borders are.
/// </remarks>
internal struct KeyTimeline
{
    private bool _hasBegun;
    private long _watermark;

    // What each event changes, last: beside what an operator's entry has for each event.
    private long _latest;
    private long _heard;

    /// <summary>Where <see cref="Follow"/> begins to look.</summary>
    internal readonly ref readonly long FirstNeeded
    {
        [UnscopedRef]
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref _latest;
    }

    internal readonly bool HasBegun => _hasBegun;

    /// <summary>No event of this key before this is expected any more.</summary>
    internal readonly long Watermark => _hasBegun ? _watermark : long.MinValue;

    internal readonly long Latest => _hasBegun ? _latest : long.MinValue;

    /// <summary>Whether silence may have moved the key's time since its last event.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal readonly bool IsSilent(long running, long idleAfter) => running - _heard >= idleAfter;

    /// <summary>Takes an event of the key and gives the watermark behind it. One that is late moves nothing, but ends the silence.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal long Observe(long ticks, long running, long maxDisorder)
    {
        _heard = running;
        if (!_hasBegun)
        {
            (_hasBegun, _latest, _watermark) = (true, ticks, Ticks.Minus(ticks, maxDisorder));
        }
        else if (ticks > _latest)
        {
            _latest = ticks;
            _watermark = Math.Max(_watermark, Ticks.Minus(ticks, maxDisorder));
        }

        return _watermark;
    }

    /// <summary>
    /// Takes an event of a key that has begun, and leaves the watermark as it is: <see cref="CatchUp"/> or <see cref="Advance"/> bring it to where it would be,
    /// before anybody asks for it.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Follow(long ticks, long running)
    {
        // The greater of both without a branch, which would often be guessed wrong: many events have the time of the one before. They are at most a window apart.
        long ahead = ticks - _latest;
        _latest += ahead & ~(ahead >> 63);
        _heard = running;
    }

    internal void CatchUp(long maxDisorder)
    {
        if (_hasBegun)
        {
            _watermark = Math.Max(_watermark, Ticks.Minus(_latest, maxDisorder));
        }
    }

    /// <summary>Lets the key's time go on by its silence: the latest time less the disorder plus the silence, as for a source.</summary>
    /// <returns>Whether the watermark has moved.</returns>
    internal bool Advance(long running, KeyTimelineSpec spec)
    {
        CatchUp(spec.MaxDisorder.Ticks);
        if (!_hasBegun || !IsSilent(running, spec.IdleAfter.Ticks))
        {
            return false;
        }

        long idle = Ticks.Plus(Ticks.Minus(_latest, spec.MaxDisorder.Ticks), running - _heard);
        if (idle <= _watermark)
        {
            return false;
        }

        _watermark = idle;
        return true;
    }

    /// <summary>Whether the key has been silent for so long, and no window of its latest event takes anything more: it begins anew then.</summary>
    internal readonly bool IsSpent(long running, KeyTimelineSpec spec, WindowSpec windows) =>
        _hasBegun && running - _heard >= spec.ForgetAfter.Ticks && windows.IsPast(_latest, _watermark);

    internal readonly void Save(StateWriter writer)
    {
        writer.Boolean(_hasBegun);
        if (_hasBegun)
        {
            writer.Int64(_latest);
            writer.Int64(_heard);
            writer.Int64(_watermark);
        }
    }

    internal static KeyTimeline Load(StateReader reader)
    {
        KeyTimeline time = default;
        time._hasBegun = reader.Boolean();
        if (time._hasBegun)
        {
            (time._latest, time._heard, time._watermark) = (reader.Int64(), reader.Int64(), reader.Int64());
        }

        return time;
    }
}
