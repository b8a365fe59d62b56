using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Moments, and a row of cells for the aggregates that are more than moments.</summary>
internal struct WithCells<TMoments>
    where TMoments : struct
{
    internal TMoments Moments;
    internal AggregateCell?[]? Cells;
}

/// <summary>What a projection asks for that is more than moments: one virtual call for each of these aggregates and event, two with its selector's.</summary>
internal readonly struct CellKernel<T, TMoments, TValue, TInner>(TInner inner, CellSet<T> cells) : IProjectionKernel<T, WithCells<TMoments>, TValue>
    where TMoments : struct
    where TInner : struct, IProjectionKernel<T, TMoments, TValue>
{
    public TValue Select(in T value) => inner.Select(in value);

    public void Add(ref WithCells<TMoments> state, in T value, in TValue selected, long ticks)
    {
        // First the cells, whose selectors may throw: moments can't.
        cells.Add(ref state.Cells, in value, ticks);
        inner.Add(ref state.Moments, in value, in selected, ticks);
    }

    public void Merge(ref WithCells<TMoments> state, in WithCells<TMoments> other)
    {
        cells.Merge(ref state.Cells, other.Cells);
        inner.Merge(ref state.Moments, in other.Moments);
    }

    public bool HasEvents(in WithCells<TMoments> state) => inner.HasEvents(in state.Moments);

    public static bool UsesTime => true;

    public static bool IsPlain => false;

    public bool NeedsRelease => true;

    public void Release(ref WithCells<TMoments> state) => cells.Release(ref state.Cells);

    public void Save(StateWriter writer, in WithCells<TMoments> state)
    {
        inner.Save(writer, in state.Moments);
        CellSet<T>.Save(writer, state.Cells);
    }

    public WithCells<TMoments> Load(StateReader reader) =>
        new() { Moments = inner.Load(reader), Cells = CellSet<T>.Load(reader) };

    public static Span<Moments> MomentsOf(ref WithCells<TMoments> state, ref Moments made) =>
        TInner.MomentsOf(ref state.Moments, ref made);

    public static AggregateCell?[]? CellsOf(in WithCells<TMoments> state) => state.Cells;
}
