using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <content>
/// Where sessions spend their time: in order of time an event lengthens its key's session, or begins one where there is none. Nothing here is checked
/// against bounds: all columns have room for as many events.
/// </content>
internal sealed partial class SessionOperator<TKey, T, TState, TValue, TKernel, TResult>
{
    // Up to this size it costs less to write a state's words once more than to guess wrong.
    private const int LargestKept = 64;

    private void Add(in Batch<T> batch, int start, int end)
    {
        if (TKernel.IsPlain && Session<TState>.CanKeep && Unsafe.SizeOf<TState>() <= LargestKept && Room >= end - start)
        {
            AddPlain(in batch, start, end);
        }
        else
        {
            AddAny(in batch, start, end, 0);
        }
    }

    /// <summary>
    /// States that are plain numbers, to which nothing fails to be added. Whether an event begins a session is anybody's guess, so there is no jump on it.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void AddPlain(in Batch<T> batch, int start, int end)
    {
        var (kernel, gap) = (_kernel, (ulong)_gap - 1);
        ref TValue selected = ref MemoryMarshal.GetArrayDataReference(_selected);
        ref int indexes = ref MemoryMarshal.GetArrayDataReference(_indexes);
        ref var events = ref Unsafe.AsRef(in MemoryMarshal.GetReference(batch.Events[start..end]));
        ref long ticks = ref Unsafe.AsRef(in MemoryMarshal.GetReference(batch.Ticks[start..end]));
        var due = _due.Reserve(end - start);
        long inOrder = Math.Max(due.Last, _closedUpTo);
        int begun = 0;
        ref var entries = ref MemoryMarshal.GetReference(_sessions.Keys.Entries);
        for (int i = 0; i < end - start; i++)
        {
            int index = Unsafe.Add(ref indexes, i);
            long time = Unsafe.Add(ref ticks, i);
            if (time >= inOrder && index >= 0)
            {
                ref var session = ref Unsafe.Add(ref entries, index).State;
                long goesOn = -(long)session.Phase;
                if (session.Phase <= SessionPhase.Changed && (ulong)((time - session.Last - 1) & goesOn) < gap)
                {
                    session.Keep(goesOn);
                    kernel.Add(ref session.State, in Unsafe.Add(ref events, i), in Unsafe.Add(ref selected, i), time);
                    session.First = (session.First & goesOn) | (time & ~goesOn);
                    session.Last = inOrder = time;
                    session.Phase = SessionPhase.Changed;
                    session.Due = due.Move(time, index, session.Due, goesOn);
                    begun += (int)goesOn + 1;
                    continue;
                }

                // What goes on at the same time keeps its place among all that end with it.
                if (session.Phase == SessionPhase.Changed && time == session.Last)
                {
                    kernel.Add(ref session.State, in Unsafe.Add(ref events, i), in Unsafe.Add(ref selected, i), time);
                    continue;
                }
            }

            if (index >= 0)
            {
                due.Tell(inOrder);
                _sessions.Begin(begun);
                begun = 0;
                Position = start + i;
                Take(index, in Unsafe.Add(ref events, i), in Unsafe.Add(ref selected, i), time);
                if (Room < end - start - i)
                {
                    AddAny(in batch, start, end, i + 1);
                    return;
                }

                due = _due.Reserve(end - start - i);
                inOrder = Math.Max(due.Last, _closedUpTo);
                entries = ref MemoryMarshal.GetReference(_sessions.Keys.Entries);
            }
        }

        due.Tell(inOrder);
        _sessions.Begin(begun);
    }

    /// <summary>The same for any state, from so many events behind the first.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void AddAny(in Batch<T> batch, int start, int end, int from)
    {
        var (kernel, gap) = (_kernel, (ulong)_gap);
        ref TValue selected = ref MemoryMarshal.GetArrayDataReference(_selected);
        ref int indexes = ref MemoryMarshal.GetArrayDataReference(_indexes);
        ref var events = ref Unsafe.AsRef(in MemoryMarshal.GetReference(batch.Events[start..end]));
        ref long ticks = ref Unsafe.AsRef(in MemoryMarshal.GetReference(batch.Ticks[start..end]));
        var due = _due.Reserve(end - start - from);
        long inOrder = Math.Max(due.Last, _closedUpTo);
        int room = Room;
        ref var entries = ref MemoryMarshal.GetReference(_sessions.Keys.Entries);
        for (int i = from; i < end - start; i++)
        {
            Position = start + i;
            int index = Unsafe.Add(ref indexes, i);
            long time = Unsafe.Add(ref ticks, i);
            if (time >= inOrder && index >= 0)
            {
                ref var session = ref Unsafe.Add(ref entries, index).State;
                if (session.Phase == SessionPhase.Changed && (ulong)(time - session.Last) < gap)
                {
                    kernel.Add(ref session.State, in Unsafe.Add(ref events, i), in Unsafe.Add(ref selected, i), time);
                    if (time > session.Last)
                    {
                        session.Due = due.Move(time, index, session.Due, -1);
                        session.Last = inOrder = time;
                        due.Tell(time);
                    }

                    continue;
                }

                if (session.Phase == SessionPhase.None && room > 0)
                {
                    session.Clear();
                    kernel.Add(ref session.State, in Unsafe.Add(ref events, i), in Unsafe.Add(ref selected, i), time);
                    _sessions.Begin(ref session, time);
                    inOrder = time;
                    room--;
                    session.Due = due.Add(time, index);
                    continue;
                }
            }

            if (index >= 0)
            {
                Take(index, in Unsafe.Add(ref events, i), in Unsafe.Add(ref selected, i), time);
                due = _due.Reserve(end - start - i);
                inOrder = Math.Max(due.Last, _closedUpTo);
                room = Room;
                entries = ref MemoryMarshal.GetReference(_sessions.Keys.Entries);
            }
        }
    }
}
