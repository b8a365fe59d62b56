using System.Runtime.InteropServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A session's first result, by whose bounds it is known from then on, and how many results it has had.</summary>
internal record struct GivenSession(long Start, long End, int Revision);

/// <summary>A session whose result is taken back, since it has become part of an older one.</summary>
internal struct WithdrawnSession<TKey, TState>
{
    internal TKey Key;
    internal long Start;
    internal long End;
    internal GivenSession Given;
    internal TState State;
}

/// <summary>What has been told of sessions that can still be corrected, numbered from 1; and what is to be taken back at the next watermark.</summary>
internal sealed class GivenSessions<TKey, TState>
    where TKey : notnull
{
    private readonly List<WithdrawnSession<TKey, TState>> _withdrawn = [];
    private int _firstWithdrawn;
    private GivenSession[] _given = [];
    private int _used;
    private int _free;

    internal bool HasWithdrawn => _firstWithdrawn < _withdrawn.Count;

    internal ReadOnlySpan<WithdrawnSession<TKey, TState>> Withdrawn => CollectionsMarshal.AsSpan(_withdrawn)[_firstWithdrawn..];

    internal ref WithdrawnSession<TKey, TState> FirstWithdrawn => ref CollectionsMarshal.AsSpan(_withdrawn)[_firstWithdrawn];

    internal ref GivenSession At(int number) => ref _given[number - 1];

    internal int Add(GivenSession given)
    {
        int number = _free;
        if (number != 0)
        {
            // A free place holds the next one.
            _free = _given[number - 1].Revision;
        }
        else
        {
            if (_used == _given.Length)
            {
                Array.Resize(ref _given, Math.Max(64, _given.Length * 2));
            }

            number = ++_used;
        }

        _given[number - 1] = given;
        return number;
    }

    internal void Remove(int number)
    {
        if (number != 0)
        {
            _given[number - 1] = new GivenSession(0, 0, _free);
            _free = number;
        }
    }

    /// <summary>Takes a session's state over, to tell at the next watermark what no longer holds.</summary>
    internal void Withdraw(in WithdrawnSession<TKey, TState> session) => _withdrawn.Add(session);

    internal void RemoveWithdrawn()
    {
        FirstWithdrawn = default;
        if (++_firstWithdrawn == _withdrawn.Count)
        {
            _withdrawn.Clear();
            _firstWithdrawn = 0;
        }
    }

    internal static void Write(StateWriter writer, GivenSession given)
    {
        writer.Int64(given.Start);
        writer.Int64(given.End);
        writer.Int32(given.Revision);
    }

    internal static GivenSession Read(StateReader reader) => new(reader.Int64(), reader.Int64(), reader.Int32());
}
