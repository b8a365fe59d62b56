using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>A session that nothing in order lengthens any more.</summary>
internal struct ClosedSession<TKey, TState>
{
    internal long First;
    internal long Last;
    internal TState State;
    internal TKey Key;
    internal byte Group;
}

/// <summary>
/// Sessions that have ended and wait for the watermark, in order of their ends: one behind the other, not beside their keys, whose next sessions take
/// their places.
/// </summary>
internal sealed class ClosedSessions<TKey, TState>
    where TKey : notnull
    where TState : struct
{
    private ClosedSession<TKey, TState>[] _sessions = [];
    private int _first;
    private int _end;

    internal int Count => _end - _first;

    /// <summary>The one that ended first; there is one.</summary>
    internal ref ClosedSession<TKey, TState> First => ref _sessions[_first];

    internal Span<ClosedSession<TKey, TState>> All => _sessions.AsSpan(_first, _end - _first);

    /// <summary>Room for so many more, one behind the other; they are there once they were added.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref ClosedSession<TKey, TState> Reserve(int count)
    {
        // One more, so that there is a place behind the last one.
        while (_sessions.Length - _end <= count)
        {
            MakeRoom();
        }

        return ref _sessions[_end];
    }

    /// <summary>Adds so many that were put there.</summary>
    internal void Add(int count) => _end += count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void RemoveFirst()
    {
        if (RuntimeHelpers.IsReferenceOrContainsReferences<ClosedSession<TKey, TState>>())
        {
            _sessions[_first] = default;
        }

        if (++_first == _end)
        {
            _first = _end = 0;
        }
    }

    internal void Clear()
    {
        All.Clear();
        _first = _end = 0;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void MakeRoom()
    {
        var old = All;
        if (_first < _sessions.Length / 2 || _first == 0)
        {
            _sessions = new ClosedSession<TKey, TState>[Math.Max(64, _sessions.Length * 2)];
        }

        old.CopyTo(_sessions);
        int count = old.Length;
        if (RuntimeHelpers.IsReferenceOrContainsReferences<ClosedSession<TKey, TState>>())
        {
            _sessions.AsSpan(count).Clear();
        }

        (_first, _end) = (0, count);
    }
}
