using System.Diagnostics;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>How the states of windows per event are kept: one struct for each way, so that the operator's loops have no virtual call.</summary>
/// <typeparam name="T">The event's type.</typeparam>
/// <typeparam name="TState">A window's state, as results are made of it.</typeparam>
/// <typeparam name="TItem">What the user's selectors make of an event.</typeparam>
/// <typeparam name="TWindow">What is kept for a key.</typeparam>
/// <typeparam name="TMore">What the queue of events keeps for each of them.</typeparam>
internal interface ISlidingStates<T, TState, TItem, TWindow, TMore> : IDisposable
    where TWindow : struct
    where TMore : struct
{
    /// <summary>What saved state of this way begins with: one can't read that of another.</summary>
    static abstract byte Form { get; }

    /// <summary>Whether sums are plain numbers, of which many may be had side by side, made again, and forgotten without a release.</summary>
    static abstract bool IsPlain { get; }

    /// <summary>How many events a key has.</summary>
    static abstract int CountOf(in TWindow window);

    /// <summary>How many blocks keys have.</summary>
    int UsedBlocks { get; }

    /// <summary>Which aggregates a state has.</summary>
    AggregateKinds Kept { get; }

    /// <summary>Runs user code, and touches no state.</summary>
    TItem Take(in T value, long ticks);

    /// <summary>Adds the event that the queue got last.</summary>
    void Push(ref TWindow window, int place, long ticks, in TItem item, ref TMore more);

    /// <summary>
    /// Adds events of one time to their keys and to the queue, which has room for them, until one whose key has as many as allowed. Says how many were
    /// added. Only where sums are plain.
    /// </summary>
    int PushAll<TKey>(WindowKeys<TKey, TWindow> keys, ReadOnlySpan<int> places, ReadOnlySpan<TItem> items, long ticks, int most)
        where TKey : notnull;

    /// <summary>Takes so many events of one time out, the queue's oldest, and their keys where they have none left. Only where sums are plain.</summary>
    void PopAll<TKey>(WindowKeys<TKey, TWindow> keys, int count)
        where TKey : notnull;

    /// <summary>Sums up the windows of the keys at these places, so that their results can be made. Only where sums are plain.</summary>
    void SumAll<TKey>(WindowKeys<TKey, TWindow> keys, ReadOnlySpan<int> places, long start, Span<ReadyWindow<TKey, TState>> sums)
        where TKey : notnull;

    /// <summary>Takes a key's oldest event out, which has left the queue, where it had this number, or is passed over there.</summary>
    void Pop(ref TWindow window, int place, uint number, in TMore more);

    /// <summary>Makes the sum of a key's events, none of which is before the start, out of whatever was there; to be released.</summary>
    void Sum(ref TWindow window, int place, long start, ref TState sum);

    void Release(ref TState sum);

    /// <summary>Keeps aggregates from here on that were not kept so far.</summary>
    void Widen<TKey>(AggregateKinds kinds, WindowKeys<TKey, TWindow> keys)
        where TKey : notnull;

    /// <summary>What is saved once.</summary>
    void SaveCommon(StateWriter writer);

    void LoadCommon(StateReader reader);

    void Save(StateWriter writer, ref TWindow window);

    void Load(StateReader reader, ref TWindow window);

    void SaveEvent(StateWriter writer, in TMore more);

    TMore LoadEvent(StateReader reader);

    /// <summary>The queue has all events again, under other numbers.</summary>
    void Relink<TKey>(WindowKeys<TKey, TWindow> keys)
        where TKey : notnull;

    /// <summary>Forgets what was loaded of a key that belongs to another shard.</summary>
    void Clear(ref TWindow window);
}

/// <summary>The simple aggregates of a selector besides the count.</summary>
[Flags]
internal enum AggregateKinds : byte
{
    None = 0,
    Sum = 1,
    Minimum = 2,
    Maximum = 4,
    All = Sum | Minimum | Maximum,
}

/// <summary>Windows whose states can only be merged: several selectors, accumulators, and where the oldest event has to give way at a limit.</summary>
internal readonly struct StackedWindows<T, TState, TValue, TKernel>(TKernel kernel)
    : ISlidingStates<T, TState, TState, StackedStates<T, TState, TValue, TKernel>.Stack, Unit>
    where TState : struct
    where TKernel : struct, IWindowKernel<T, TState, TValue>
{
    private readonly TKernel _kernel = kernel;
    private readonly StackedStates<T, TState, TValue, TKernel> _stacks = new(kernel);

    public static byte Form => 1;

    public static bool IsPlain => false;

    public int UsedBlocks => _stacks.UsedBlocks;

    public AggregateKinds Kept => AggregateKinds.All;

    public static int CountOf(in StackedStates<T, TState, TValue, TKernel>.Stack window) => window.Count;

    public TState Take(in T value, long ticks)
    {
        TState state = default;
        _kernel.Add(ref state, in value, _kernel.Select(in value), ticks);
        return state;
    }

    public void Push(ref StackedStates<T, TState, TValue, TKernel>.Stack window, int place, long ticks, in TState item, ref Unit more) => _stacks.Push(ref window, in item);

    public void Pop(ref StackedStates<T, TState, TValue, TKernel>.Stack window, int place, uint number, in Unit more) => _stacks.Pop(ref window);

    public void Sum(ref StackedStates<T, TState, TValue, TKernel>.Stack window, int place, long start, ref TState sum) => sum = _stacks.Sum(ref window);

    public int PushAll<TKey>(WindowKeys<TKey, StackedStates<T, TState, TValue, TKernel>.Stack> keys, ReadOnlySpan<int> places, ReadOnlySpan<TState> items, long ticks, int most)
        where TKey : notnull => throw new UnreachableException();

    public void PopAll<TKey>(WindowKeys<TKey, StackedStates<T, TState, TValue, TKernel>.Stack> keys, int count)
        where TKey : notnull => throw new UnreachableException();

    public void SumAll<TKey>(WindowKeys<TKey, StackedStates<T, TState, TValue, TKernel>.Stack> keys, ReadOnlySpan<int> places, long start, Span<ReadyWindow<TKey, TState>> sums)
        where TKey : notnull => throw new UnreachableException();

    public void Release(ref TState sum) => _kernel.Release(ref sum);

    public void Widen<TKey>(AggregateKinds kinds, WindowKeys<TKey, StackedStates<T, TState, TValue, TKernel>.Stack> keys)
        where TKey : notnull
    {
    }

    public void SaveCommon(StateWriter writer)
    {
    }

    public void LoadCommon(StateReader reader)
    {
    }

    public void Save(StateWriter writer, ref StackedStates<T, TState, TValue, TKernel>.Stack window) => _stacks.Save(writer, ref window);

    public void Load(StateReader reader, ref StackedStates<T, TState, TValue, TKernel>.Stack window) => _stacks.Load(reader, ref window);

    public void SaveEvent(StateWriter writer, in Unit more)
    {
    }

    public Unit LoadEvent(StateReader reader) => default;

    public void Relink<TKey>(WindowKeys<TKey, StackedStates<T, TState, TValue, TKernel>.Stack> keys)
        where TKey : notnull
    {
    }

    public void Clear(ref StackedStates<T, TState, TValue, TKernel>.Stack window) => _stacks.Clear(ref window);

    public void Dispose() => _stacks.GiveBack();
}
