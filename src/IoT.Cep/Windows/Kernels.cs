using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace IoT.Cep;

/// <summary>
/// What a window does with one event, as a struct so that the loop has no virtual call: first the user's selectors, then the state. Code
/// generated from the user's lambdas can take a kernel's place.
/// </summary>
internal interface IWindowKernel<T, TState, TValue>
{
    TValue Select(in T value);

    void Add(ref TState state, in T value, in TValue selected);

    /// <summary>False for a state that no event was added to: it is new, or its only event failed. Its key has no result.</summary>
    bool HasEvents(in TState state);
}

/// <summary>Only Count is asked for.</summary>
internal readonly struct CountKernel<T> : IWindowKernel<T, Moments, Unit>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Unit Select(in T value) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(ref Moments state, in T value, in Unit selected) => state.Count++;

    public bool HasEvents(in Moments state) => state.Count > 0;
}

/// <summary>Any aggregates of one selector.</summary>
internal readonly struct OneKernel<T>(Func<T, double> selector) : IWindowKernel<T, Moments, double>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public double Select(in T value) => selector(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(ref Moments state, in T value, in double selected) => state.Add(selected);

    public bool HasEvents(in Moments state) => state.Count > 0;
}

/// <summary>Aggregates of up to four selectors.</summary>
internal readonly struct FourKernel<T>(Func<T, double>[] selectors) : IWindowKernel<T, Four<Moments>, Four<double>>
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

    public void Add(ref Four<Moments> state, in T value, in Four<double> selected)
    {
        for (int i = 0; i < selectors.Length; i++)
        {
            state[i].Add(selected[i]);
        }
    }

    public bool HasEvents(in Four<Moments> state) => state[0].Count > 0;
}

/// <summary>Aggregates of up to sixteen selectors.</summary>
internal readonly struct SixteenKernel<T>(Func<T, double>[] selectors) : IWindowKernel<T, Sixteen<Moments>, Sixteen<double>>
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

    public void Add(ref Sixteen<Moments> state, in T value, in Sixteen<double> selected)
    {
        for (int i = 0; i < selectors.Length; i++)
        {
            state[i].Add(selected[i]);
        }
    }

    public bool HasEvents(in Sixteen<Moments> state) => state[0].Count > 0;
}

/// <summary>A user's accumulator. It works on a copy, so that an event at which it throws leaves the state as it was.</summary>
internal readonly struct AccumulatorKernel<T, TAccumulator>(TAccumulator seed) : IWindowKernel<T, Seeded<TAccumulator>, Unit>
    where TAccumulator : struct, IAccumulator<T, TAccumulator>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Unit Select(in T value) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(ref Seeded<TAccumulator> state, in T value, in Unit selected)
    {
        var next = state.IsSeeded ? state.Value : seed;
        next.Add(in value);
        state.Value = next;
        state.IsSeeded = true;
    }

    public bool HasEvents(in Seeded<TAccumulator> state) => state.IsSeeded;
}

internal struct Seeded<T>
{
    internal T Value;
    internal bool IsSeeded;
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

/// <summary>Makes a result of a window's state.</summary>
internal interface IWindowResult<TKey, TState, TResult>
{
    TResult Make(in WindowInfo<TKey> info, ref TState state);
}

internal sealed class ProjectedResult<TKey, T, TState, TResult>(Projection<T> projection, Func<WindowGroup<TKey, T>, TResult> project)
    : IWindowResult<TKey, TState, TResult>
    where TState : struct
{
    public TResult Make(in WindowInfo<TKey> info, ref TState state) =>
        project(new WindowGroup<TKey, T>(projection, in info, MemoryMarshal.CreateSpan(
            ref Unsafe.As<TState, Moments>(ref state), Unsafe.SizeOf<TState>() / Unsafe.SizeOf<Moments>())));
}

internal sealed class AccumulatedResult<TKey, TAccumulator, TResult>(Func<WindowInfo<TKey>, TAccumulator, TResult> project)
    : IWindowResult<TKey, Seeded<TAccumulator>, TResult>
{
    public TResult Make(in WindowInfo<TKey> info, ref Seeded<TAccumulator> state) => project(info, state.Value);
}
