using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// What a window does with one event, as a struct so that the loop has no virtual call: first the user's selectors, then the state. Code
/// generated from the user's lambdas can take a kernel's place.
/// </summary>
internal interface IWindowKernel<T, TState, TValue>
{
    TValue Select(in T value);

    void Add(ref TState state, in T value, in TValue selected, long ticks);

    /// <summary>Whether <see cref="Add"/> looks at the time; where it does not, 0 may stand for it.</summary>
    static abstract bool UsesTime { get; }

    /// <summary>Whether states are plain numbers: to merge them can't fail, and nothing is to be released.</summary>
    static abstract bool IsPlain { get; }

    /// <summary>Whether an event can be taken out of a state again.</summary>
    static virtual bool CanRemove => false;

    /// <summary>Takes an event out that was added before.</summary>
    void Remove(ref TState state, in T value) => throw new System.Diagnostics.UnreachableException();

    /// <summary>Takes in all events of another state, which stays as it is and shares nothing with this one.</summary>
    void Merge(ref TState state, in TState other);

    /// <summary>Merges as many states as can be merged side by side, each with its counterpart, from the first on; says how many.</summary>
    static virtual int MergeSideBySide(Span<TState> into, ReadOnlySpan<TState> others) => 0;

    /// <summary>False for a state that no event was added to: it is new, or its only event failed. Its key has no result.</summary>
    bool HasEvents(in TState state);

    /// <summary>Whether states must be released before they are forgotten.</summary>
    bool NeedsRelease { get; }

    /// <summary>Gives back what a state holds besides its own bytes.</summary>
    void Release(ref TState state);

    void Save(StateWriter writer, in TState state);

    TState Load(StateReader reader);
}

/// <summary>A kernel whose states are the aggregates of a projection.</summary>
internal interface IProjectionKernel<T, TState, TValue> : IWindowKernel<T, TState, TValue>
{
    /// <summary>The state's moments, or what it has of them, in <paramref name="made"/>.</summary>
    static abstract Span<Moments> MomentsOf(ref TState state, ref Moments made);

    static abstract AggregateCell?[]? CellsOf(in TState state);
}

/// <summary>Only Count is asked for.</summary>
internal readonly struct CountKernel<T> : IProjectionKernel<T, Moments, Unit>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Unit Select(in T value) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(ref Moments state, in T value, in Unit selected, long ticks) => state.Count++;

    public bool HasEvents(in Moments state) => state.Count > 0;

    public void Merge(ref Moments state, in Moments other) => state.Merge(in other);

    public static bool UsesTime => false;

    public static bool IsPlain => true;

    public bool NeedsRelease => false;

    public void Release(ref Moments state)
    {
    }

    public void Save(StateWriter writer, in Moments state) => writer.Raw(in state);

    public Moments Load(StateReader reader) => reader.Raw<Moments>();

    public static Span<Moments> MomentsOf(ref Moments state, ref Moments made) => new(ref state);

    public static AggregateCell?[]? CellsOf(in Moments state) => null;
}

/// <summary>Any aggregates of one selector.</summary>
internal readonly struct OneKernel<T>(Func<T, double> selector) : IProjectionKernel<T, Moments, double>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public double Select(in T value) => selector(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(ref Moments state, in T value, in double selected, long ticks) => state.Add(selected);

    public bool HasEvents(in Moments state) => state.Count > 0;

    public void Merge(ref Moments state, in Moments other) => state.Merge(in other);

    public static bool UsesTime => false;

    public static bool IsPlain => true;

    public bool NeedsRelease => false;

    public void Release(ref Moments state)
    {
    }

    public void Save(StateWriter writer, in Moments state) => writer.Raw(in state);

    public Moments Load(StateReader reader) => reader.Raw<Moments>();

    public static Span<Moments> MomentsOf(ref Moments state, ref Moments made) => new(ref state);

    public static AggregateCell?[]? CellsOf(in Moments state) => null;
}

/// <summary>Only sum, average and count of one selector are asked for.</summary>
internal readonly struct MeanKernel<T>(Func<T, double> selector) : IProjectionKernel<T, Mean, double>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public double Select(in T value) => selector(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(ref Mean state, in T value, in double selected, long ticks) => state.Add(selected);

    public bool HasEvents(in Mean state) => state.Count > 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Merge(ref Mean state, in Mean other) => state.Merge(in other);

    public static int MergeSideBySide(Span<Mean> into, ReadOnlySpan<Mean> others) => Mean.MergePairs(into, others);

    public static bool UsesTime => false;

    public static bool IsPlain => true;

    public bool NeedsRelease => false;

    public void Release(ref Mean state)
    {
    }

    public void Save(StateWriter writer, in Mean state) => state.Save(writer);

    public Mean Load(StateReader reader) => Mean.Load(reader);

    public static Span<Moments> MomentsOf(ref Mean state, ref Moments made)
    {
        (made.Count, made.Sum) = (state.Count, state.Sum);
        return new(ref made);
    }

    public static AggregateCell?[]? CellsOf(in Mean state) => null;
}

/// <summary>Aggregates of up to four selectors.</summary>
internal readonly struct FourKernel<T>(Func<T, double>[] selectors) : IProjectionKernel<T, Four<Moments>, Four<double>>
{
    public Four<double> Select(in T value)
    {
        Four<double> selected = default;
        for (int i = 0; i < selectors.Length; i++)
        {
            selected[i] = selectors[i](value);
        }

        return selected;
    }

    public void Add(ref Four<Moments> state, in T value, in Four<double> selected, long ticks)
    {
        for (int i = 0; i < selectors.Length; i++)
        {
            state[i].Add(selected[i]);
        }
    }

    public bool HasEvents(in Four<Moments> state) => state[0].Count > 0;

    public void Merge(ref Four<Moments> state, in Four<Moments> other)
    {
        for (int i = 0; i < selectors.Length; i++)
        {
            state[i].Merge(in other[i]);
        }
    }

    public static bool UsesTime => false;

    public static bool IsPlain => true;

    public bool NeedsRelease => false;

    public void Release(ref Four<Moments> state)
    {
    }

    public void Save(StateWriter writer, in Four<Moments> state) => writer.Raw(in state);

    public Four<Moments> Load(StateReader reader) => reader.Raw<Four<Moments>>();

    public static Span<Moments> MomentsOf(ref Four<Moments> state, ref Moments made) => state;

    public static AggregateCell?[]? CellsOf(in Four<Moments> state) => null;
}

/// <summary>Aggregates of up to sixteen selectors.</summary>
internal readonly struct SixteenKernel<T>(Func<T, double>[] selectors) : IProjectionKernel<T, Sixteen<Moments>, Sixteen<double>>
{
    public Sixteen<double> Select(in T value)
    {
        Sixteen<double> selected = default;
        for (int i = 0; i < selectors.Length; i++)
        {
            selected[i] = selectors[i](value);
        }

        return selected;
    }

    public void Add(ref Sixteen<Moments> state, in T value, in Sixteen<double> selected, long ticks)
    {
        for (int i = 0; i < selectors.Length; i++)
        {
            state[i].Add(selected[i]);
        }
    }

    public bool HasEvents(in Sixteen<Moments> state) => state[0].Count > 0;

    public void Merge(ref Sixteen<Moments> state, in Sixteen<Moments> other)
    {
        for (int i = 0; i < selectors.Length; i++)
        {
            state[i].Merge(in other[i]);
        }
    }

    public static bool UsesTime => false;

    public static bool IsPlain => true;

    public bool NeedsRelease => false;

    public void Release(ref Sixteen<Moments> state)
    {
    }

    public void Save(StateWriter writer, in Sixteen<Moments> state) => writer.Raw(in state);

    public Sixteen<Moments> Load(StateReader reader) => reader.Raw<Sixteen<Moments>>();

    public static Span<Moments> MomentsOf(ref Sixteen<Moments> state, ref Moments made) => state;

    public static AggregateCell?[]? CellsOf(in Sixteen<Moments> state) => null;
}

[InlineArray(4)]
internal struct Four<T>
{
    private T _first;
}

[InlineArray(16)]
internal struct Sixteen<T>
{
    private T _first;
}
