using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace IoT.Cep;

/// <summary>Makes a result of a window's state.</summary>
internal interface IWindowResult<TKey, TState, TResult>
{
    /// <summary>False where the window has no result, since it does not meet the query's condition.</summary>
    bool TryMake(in WindowInfo<TKey> info, ref TState state, out TResult made);

    /// <summary>Which result was made last, by key and window.</summary>
    string? Describe();

    /// <summary>Whether the result that a correction replaces has to be remembered.</summary>
    bool NeedsPrevious { get; }

    /// <summary>Makes many results in one loop; null where it can't.</summary>
    IResultsAtOnce<TKey, TState, TResult>? AtOnce => null;

    /// <summary>Which of a selector's aggregates a projection asks for; null where it is not known.</summary>
    IAggregateUse? Use => null;

    /// <summary>What is given where a result replaces another.</summary>
    TResult Replacing(TResult made, TResult previous) => made;

    /// <summary>What is given where a result no longer holds.</summary>
    TResult Withdrawing(TResult previous, in WindowInfo<TKey> info) => previous;
}

/// <summary>Makes the results of windows that have the same bounds and no condition, each of its state and its key.</summary>
internal interface IResultsAtOnce<TKey, TState, TResult>
{
    /// <summary>
    /// Makes them in order. <paramref name="at"/> goes on by one with each, so that it says which one's projection threw, or asks for an aggregate that
    /// is not there yet.
    /// </summary>
    void Make(long start, long end, Span<ReadyWindow<TKey, TState>> windows, Span<TResult> results, ref int at);
}

/// <summary>A key and its window's state, of which a result is made: side by side, so that the loop over them needs one register for both.</summary>
internal struct ReadyWindow<TKey, TState>
{
    internal TState State;
    internal TKey Key;
}

/// <summary>Which of a selector's aggregates a projection asks for, so that others need not be kept.</summary>
internal interface IAggregateUse
{
    /// <summary>What it asked for on its first window.</summary>
    AggregateKinds Asked { get; }

    /// <summary>
    /// Says what states have. A projection that asks for more, as it may under a condition, has it made before it reads it: <paramref name="widen"/> brings
    /// the state that is being read up to date.
    /// </summary>
    void Keep(AggregateKinds kept, Action<AggregateKinds> widen);
}

/// <summary>What a query makes of its windows: a projection, a condition or none, and how one result replaces another.</summary>
internal sealed record WindowProjection<TKey, T, TResult>(
    Func<WindowGroup<TKey, T>, TResult> Result, Func<WindowGroup<TKey, T>, bool>? Having, IUpdates<TResult>? Updates);

/// <summary>Results that tell what they replace.</summary>
internal interface IUpdates<TResult>
{
    TResult Replacing(TResult made, TResult previous);

    TResult Withdrawing(TResult previous, Firing firing, int revision);
}

internal sealed class Updates<TResult> : IUpdates<Update<TResult>>
{
    public Update<TResult> Replacing(Update<TResult> made, Update<TResult> previous) =>
        made with { Previous = previous.Current, HasPrevious = true };

    public Update<TResult> Withdrawing(Update<TResult> previous, Firing firing, int revision) =>
        new(default, previous.Current, firing, revision) { HasPrevious = true };
}

internal sealed class ProjectedResult<TKey, T, TState, TValue, TKernel, TResult>(
    Projection<T> projection, WindowProjection<TKey, T, TResult> query)
    : IWindowResult<TKey, TState, TResult>, IResultsAtOnce<TKey, TState, TResult>
    where TState : struct
    where TKernel : struct, IProjectionKernel<T, TState, TValue>
{
    private readonly WindowContext<TKey, T> _context = new(projection);
    private readonly Func<WindowGroup<TKey, T>, TResult> _project = query.Result;
    private readonly Func<WindowGroup<TKey, T>, bool>? _having = query.Having;

    public IAggregateUse? Use => projection;

    public IResultsAtOnce<TKey, TState, TResult>? AtOnce => _having is null ? this : null;

    public bool NeedsPrevious => query is not { Having: null, Updates: null };

    public bool TryMake(in WindowInfo<TKey> info, ref TState state, out TResult made)
    {
        _context.Show(in info, TKernel.CellsOf(in state));
        Moments moments = default;
        var group = new WindowGroup<TKey, T>(_context, TKernel.MomentsOf(ref state, ref moments));
        if (_having is not null && !_having(group))
        {
            made = default!;
            return false;
        }

        made = _project(group);
        return true;
    }

    public string? Describe() => new WindowInfo<TKey>(_context.Key, _context.Start, _context.End).Describe();

    [MethodImpl(MethodImplOptions.NoInlining)]
    public void Make(long start, long end, Span<ReadyWindow<TKey, TState>> windows, Span<TResult> results, ref int at)
    {
        var (context, project) = (_context, _project);
        context.Show(new WindowInfo<TKey>(windows[0].Key, start, end), null);
        Moments moments = default;
        ref var window = ref MemoryMarshal.GetReference(windows);
        ref var behind = ref Unsafe.Add(ref window, windows.Length);
        ref TResult result = ref MemoryMarshal.GetReference(results[..windows.Length]);
        while (Unsafe.IsAddressLessThan(ref window, ref behind))
        {
            context.Key = window.Key;
            if (!TKernel.IsPlain)
            {
                context.Row = TKernel.CellsOf(in window.State);
            }

            result = project(new WindowGroup<TKey, T>(context, TKernel.MomentsOf(ref window.State, ref moments)));
            at++;
            window = ref Unsafe.Add(ref window, 1);
            result = ref Unsafe.Add(ref result, 1);
        }
    }

    public TResult Replacing(TResult made, TResult previous) => query.Updates is { } updates ? updates.Replacing(made, previous) : made;

    public TResult Withdrawing(TResult previous, in WindowInfo<TKey> info) =>
        query.Updates is { } updates ? updates.Withdrawing(previous, info.Firing, info.Revision) : previous;
}

internal sealed class AccumulatedResult<TKey, TAccumulator, TResult>(Func<WindowInfo<TKey>, TAccumulator, TResult> project)
    : IWindowResult<TKey, Seeded<TAccumulator>, TResult>
{
    private WindowInfo<TKey> _made;

    public bool NeedsPrevious => false;

    public string? Describe() => _made.Describe();

    public bool TryMake(in WindowInfo<TKey> info, ref Seeded<TAccumulator> state, out TResult made)
    {
        _made = info;
        made = project(info, state.Value);
        return true;
    }
}
