namespace IoT.Cep;

/// <summary>Makes a result of a window's state.</summary>
internal interface IWindowResult<TKey, TState, TResult>
{
    TResult Make(in WindowInfo<TKey> info, ref TState state);
}

internal sealed class ProjectedResult<TKey, T, TState, TValue, TKernel, TResult>(
    Projection<T> projection, Func<WindowGroup<TKey, T>, TResult> project) : IWindowResult<TKey, TState, TResult>
    where TState : struct
    where TKernel : struct, IProjectionKernel<T, TState, TValue>
{
    public TResult Make(in WindowInfo<TKey> info, ref TState state) =>
        project(new WindowGroup<TKey, T>(projection, in info, TKernel.MomentsOf(ref state), TKernel.CellsOf(in state)));
}

internal sealed class AccumulatedResult<TKey, TAccumulator, TResult>(Func<WindowInfo<TKey>, TAccumulator, TResult> project)
    : IWindowResult<TKey, Seeded<TAccumulator>, TResult>
{
    public TResult Make(in WindowInfo<TKey> info, ref Seeded<TAccumulator> state) => project(info, state.Value);
}
