using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A user's accumulator. It works on a copy, so that an event at which it throws leaves the state as it was.</summary>
internal readonly struct AccumulatorKernel<T, TAccumulator, TFeed>(TAccumulator seed) : IWindowKernel<T, Seeded<TAccumulator>, Unit>
    where TAccumulator : struct
    where TFeed : struct, IFeed<T, TAccumulator>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Unit Select(in T value) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(ref Seeded<TAccumulator> state, in T value, in Unit selected, long ticks)
    {
        var next = state.IsSeeded ? state.Value : seed;
        TFeed.Add(ref next, in value, ticks);
        state.Value = next;
        state.IsSeeded = true;
    }

    public void Merge(ref Seeded<TAccumulator> state, in Seeded<TAccumulator> other)
    {
        if (other.IsSeeded)
        {
            var next = state.IsSeeded ? state.Value : seed;
            TFeed.Merge(ref next, in other.Value);
            state.Value = next;
            state.IsSeeded = true;
        }
    }

    public bool HasEvents(in Seeded<TAccumulator> state) => state.IsSeeded;

    public static bool CanRemove => TFeed.CanRemove;

    public void Remove(ref Seeded<TAccumulator> state, in T value) => TFeed.Remove(ref state.Value, in value);

    public static bool UsesTime => TFeed.UsesTime;

    public static bool IsPlain => false;

    public bool NeedsRelease => false;

    public void Release(ref Seeded<TAccumulator> state)
    {
    }

    public void Save(StateWriter writer, in Seeded<TAccumulator> state)
    {
        writer.Boolean(state.IsSeeded);
        StateCodec.Require<TAccumulator>().Write(writer, state.Value);
    }

    public Seeded<TAccumulator> Load(StateReader reader) =>
        new() { IsSeeded = reader.Boolean(), Value = StateCodec.Require<TAccumulator>().Read(reader) };
}

internal struct Seeded<T>
{
    internal T Value;
    internal bool IsSeeded;
}
