using System.Diagnostics;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Windows per event over an accumulator that can remove: one state for each key, into which an event is taken when it comes and out of which when it leaves.
/// The queue keeps the events until then. A window that has become empty begins anew, so that rounding does not add up for ever.
/// </summary>
internal readonly struct RemovingStates<T, TState, TValue, TKernel>(TKernel kernel)
    : ISlidingStates<T, TState, Removable<T, TState>, RemovingWindow<TState>, KeptEvent<T>>
    where TState : struct
    where TKernel : struct, IWindowKernel<T, TState, TValue>
{
    private readonly TKernel _kernel = kernel;

    public static byte Form => 4;

    public static bool IsPlain => false;

    public int UsedBlocks => 0;

    public AggregateKinds Kept => AggregateKinds.All;

    public static int CountOf(in RemovingWindow<TState> window) => window.Count;

    public Removable<T, TState> Take(in T value, long ticks)
    {
        // Of the event alone: an error of the accumulator touches no window.
        TState state = default;
        var selected = _kernel.Select(in value);
        _kernel.Add(ref state, in value, in selected, ticks);
        return new Removable<T, TState>(value, state);
    }

    public void Push(ref RemovingWindow<TState> window, int place, long ticks, in Removable<T, TState> item, ref KeptEvent<T> more)
    {
        more.Event = item.Event;
        var state = item.State;
        _kernel.Merge(ref window.Sum, in state);
        window.Count++;
    }

    public void Pop(ref RemovingWindow<TState> window, int place, uint number, in KeptEvent<T> more)
    {
        if (--window.Count == 0)
        {
            window.Sum = default;
        }
        else
        {
            _kernel.Remove(ref window.Sum, in more.Event);
        }
    }

    public void Sum(ref RemovingWindow<TState> window, int place, long start, ref TState sum)
    {
        // Merged into an empty one, as a state that holds arrays must be: it shares nothing then.
        sum = default;
        _kernel.Merge(ref sum, in window.Sum);
    }

    public int PushAll<TKey>(WindowKeys<TKey, RemovingWindow<TState>> keys, ReadOnlySpan<int> places, ReadOnlySpan<Removable<T, TState>> items, long ticks, int most)
        where TKey : notnull => throw new UnreachableException();

    public void PopAll<TKey>(WindowKeys<TKey, RemovingWindow<TState>> keys, int count)
        where TKey : notnull => throw new UnreachableException();

    public void SumAll<TKey>(WindowKeys<TKey, RemovingWindow<TState>> keys, ReadOnlySpan<int> places, long start, Span<ReadyWindow<TKey, TState>> sums)
        where TKey : notnull => throw new UnreachableException();

    public void Release(ref TState sum) => _kernel.Release(ref sum);

    public void Widen<TKey>(AggregateKinds kinds, WindowKeys<TKey, RemovingWindow<TState>> keys)
        where TKey : notnull
    {
    }

    public void SaveCommon(StateWriter writer)
    {
    }

    public void LoadCommon(StateReader reader)
    {
    }

    public void Save(StateWriter writer, ref RemovingWindow<TState> window)
    {
        writer.Int32(window.Count);
        _kernel.Save(writer, in window.Sum);
    }

    public void Load(StateReader reader, ref RemovingWindow<TState> window)
    {
        window.Count = reader.Int32();
        window.Sum = _kernel.Load(reader);
    }

    public void SaveEvent(StateWriter writer, in KeptEvent<T> more) => StateCodec.Require<T>().Write(writer, more.Event);

    public KeptEvent<T> LoadEvent(StateReader reader) => new() { Event = StateCodec.Require<T>().Read(reader) };

    public void Relink<TKey>(WindowKeys<TKey, RemovingWindow<TState>> keys)
        where TKey : notnull
    {
    }

    public void Clear(ref RemovingWindow<TState> window) => window = default;

    public void Dispose()
    {
    }
}

/// <summary>An event, and the state of it alone.</summary>
internal readonly record struct Removable<T, TState>(T Event, TState State)
    where TState : struct;

/// <summary>What is kept for a key.</summary>
internal struct RemovingWindow<TState>
    where TState : struct
{
    internal TState Sum;
    internal int Count;
}

/// <summary>An event that is to be taken out again.</summary>
internal struct KeptEvent<T>
{
    internal T Event;
}
