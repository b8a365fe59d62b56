using System.Buffers;
using System.Runtime.CompilerServices;

namespace IoT.Cep.Extensibility;

/// <summary>Where a decoder puts events: a pooled column that leaves as a batch when it is full or old enough.</summary>
/// <typeparam name="T">The event's type.</typeparam>
/// <param name="strings">The pool of repeated strings.</param>
/// <param name="capacity">How many events it holds before it grows.</param>
public sealed class EventBuffer<T>(StringPool strings, int capacity = EventBuffer<T>.DefaultCapacity) : IDisposable
{
    /// <summary>A batch's usual size in events: with 24-byte events and their timestamps 32 KiB, which stays in a core's first cache.</summary>
    public const int DefaultCapacity = 1024;

    private T[] _events = ArrayPool<T>.Shared.Rent(capacity);

    // What is waiting stands between these; dropping the oldest moves the start, so that nothing is copied for it.
    private int _start;
    private int _end;
    private int _messageStart;

    /// <summary>The pool of repeated strings (device names, units): bounded, so it can't be filled by hostile names.</summary>
    public StringPool Strings => strings;

    /// <summary>How many events are waiting.</summary>
    public int Count => _end - _start;

    /// <summary>How many events the current message gave so far.</summary>
    public int MessageCount => _end - _messageStart;

    /// <summary>Why the current message was rejected; null where it was not.</summary>
    public DeadLetterReason? Rejection { get; private set; }

    /// <summary>What exactly was wrong with the current message.</summary>
    public string RejectionDetail { get; private set; } = "";

    /// <summary>When the current message was received: 100 ns ticks since 1970-01-01 UTC.</summary>
    public long ReceivedTicks { get; private set; }

    /// <summary>The waiting events.</summary>
    public ReadOnlySpan<T> Events => _events.AsSpan(_start, _end - _start);

    /// <summary>Adds an event.</summary>
    /// <param name="value">The event.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(in T value)
    {
        if (_end == _events.Length)
        {
            Grow();
        }

        _events[_end++] = value;
    }

    /// <summary>Rejects the current message whole: its events are taken back and it becomes a dead letter.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="detail">What exactly was wrong: name the field or the place, not the payload.</param>
    public void Reject(DeadLetterReason reason, string detail)
    {
        Truncate(_messageStart);
        Rejection = reason;
        RejectionDetail = detail;
    }

    /// <summary>Begins a message: what is added from here on is taken back if it is rejected.</summary>
    /// <param name="receivedTicks">When it was received: 100 ns ticks since 1970-01-01 UTC.</param>
    public void BeginMessage(long receivedTicks)
    {
        _messageStart = _end;
        Rejection = null;
        ReceivedTicks = receivedTicks;
    }

    internal void RemoveFirst(int count)
    {
        if (RuntimeHelpers.IsReferenceOrContainsReferences<T>())
        {
            _events.AsSpan(_start, count).Clear();
        }

        _start += count;
        _messageStart = Math.Max(_start, _messageStart);
    }

    /// <summary>Forgets all events.</summary>
    public void Clear()
    {
        Truncate(_start);
        (_start, _end, _messageStart) = (0, 0, 0);
    }

    /// <summary>Returns the column to its pool.</summary>
    public void Dispose()
    {
        Clear();
        ArrayPool<T>.Shared.Return(_events);
        _events = [];
    }

    private void Truncate(int end)
    {
        if (RuntimeHelpers.IsReferenceOrContainsReferences<T>())
        {
            _events.AsSpan(end, _end - end).Clear();
        }

        _end = end;
    }

    /// <summary>Where at least half of the column is free in front, what waits moves there: dropping has paid for it. Else the column doubles.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Grow()
    {
        var waiting = _events.AsSpan(_start, _end - _start);
        bool moves = _start > 0 && _start >= waiting.Length;
        var target = moves ? _events : ArrayPool<T>.Shared.Rent(Math.Max(waiting.Length * 2, 16));
        waiting.CopyTo(target);
        if (!moves)
        {
            ArrayPool<T>.Shared.Return(_events, RuntimeHelpers.IsReferenceOrContainsReferences<T>());
            _events = target;
        }
        else if (RuntimeHelpers.IsReferenceOrContainsReferences<T>())
        {
            waiting.Clear();
        }

        (_start, _end, _messageStart) = (0, waiting.Length, _messageStart - _start);
    }
}
