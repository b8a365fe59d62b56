using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>All that an operator of windows is made of, whatever kind of window it runs.</summary>
/// <param name="Next">Where results go.</param>
/// <param name="Query">The query, for its error policy and counters.</param>
/// <param name="Spec">The windows.</param>
/// <param name="Key">The key.</param>
/// <param name="Kernel">What one event does to a window's state.</param>
/// <param name="Result">Makes a result of a window's state.</param>
/// <param name="Keys">The key groups that this shard owns.</param>
/// <param name="Identity">Whether results carry their identity.</param>
/// <param name="IsOrdered">Whether events come in order of time.</param>
internal sealed record WindowParts<TKey, T, TState, TValue, TKernel, TResult>(
    Operator<TResult> Next, QueryContext Query, WindowSpec Spec, KeySelector<TKey, T> Key, TKernel Kernel,
    IWindowResult<TKey, TState, TResult> Result, KeyRange Keys, bool Identity, bool IsOrdered)
    where TKey : notnull
    where TState : struct
    where TKernel : struct, IWindowKernel<T, TState, TValue>
{
    /// <summary>The operator of this kind of window. The one place that knows which operator runs which windows.</summary>
    internal Operator<T> Build()
    {
        var built = BuildWindows();
        built.DescribeResult = Result.Describe;
        return built;
    }

    private Operator<T> BuildWindows() => Spec switch
    {
        TumblingWindows when Key.Timeline is not null => new KeyedTimelineOperator<TKey, T, TState, TValue, TKernel, TResult>(this),
        TumblingWindows { IsUpdating: false, MovesLate: false } when Key.WhenFull == WhenKeysFull.Fail =>
            new TumblingOperator<TKey, T, TState, TValue, TKernel, TResult>(this),
        TimeWindows => new TimeWindowOperator<TKey, T, TState, TValue, TKernel, TResult>(this),
        PerEventWindows windows => PerEvent(windows),
        SessionWindows => new SessionOperator<TKey, T, TState, TValue, TKernel, TResult>(this),
        LongestSessionWindows sessions => Sorted<Unit, LongestSessionRule<T>>(new(sessions.Gap, sessions.Longest)),
        CountWindows { Every: var every, Count: var count } when every < count => new SlidingCountOperator<TKey, T, TState, TValue, TKernel, TResult>(this),
        CountWindows windows => Sorted<Unit, CountRule<T>>(new(windows.Count, long.MaxValue)),
        TimeOrCountWindows windows => Sorted<Unit, CountRule<T>>(new(windows.Count, windows.Span)),
        BetweenWindows<T> windows => Sorted<Unit, BetweenRule<T>>(new(windows)),
        GlobalWindows<T> windows => windows.Trigger.Build(this),
        _ => throw new System.Diagnostics.UnreachableException($"No operator runs {Spec}."),
    };

    /// <summary>One selector's simple aggregates, the count alone, and what can remove are kept so that an event can be taken out again; all else by merging.</summary>
    private Operator<T> PerEvent(PerEventWindows windows) => (object)this switch
    {
        WindowParts<TKey, T, Moments, double, OneKernel<T>, TResult> one when windows.WhenFull == WindowOverflow.Fail => OfMoments(one, windows),
        WindowParts<TKey, T, Moments, Unit, CountKernel<T>, TResult> count when windows.WhenFull == WindowOverflow.Fail => OfMoments(count, windows),
        _ when TKernel.CanRemove && windows.WhenFull == WindowOverflow.Fail => new PerEventOperator<
            TKey, T, TResult, TState, Removable<T, TState>, RemovingWindow<TState>, KeptEvent<T>, RemovingStates<T, TState, TValue, TKernel>>(
            new(Next, Query, windows, Key, Result, Keys, Identity, null), new EventQueue<KeptEvent<T>>(), new(Kernel)),
        _ => new PerEventOperator<
            TKey, T, TResult, TState, TState, StackedStates<T, TState, TValue, TKernel>.Stack, Unit, StackedWindows<T, TState, TValue, TKernel>>(
            new(Next, Query, windows, Key, Result, Keys, Identity, null), new EventQueue<Unit>(), new(Kernel)),
    };

    private static Operator<T> OfMoments<TSelected, TOneKernel>(WindowParts<TKey, T, Moments, TSelected, TOneKernel, TResult> parts, PerEventWindows windows)
        where TOneKernel : struct, IWindowKernel<T, Moments, TSelected>
    {
        var events = new EventQueue<SlidingValue>();
        var use = parts.Result.Use;
        return new PerEventOperator<TKey, T, TResult, Moments, TSelected, MomentsWindow, SlidingValue, SlidingMoments<T, TSelected, TOneKernel>>(
            new(parts.Next, parts.Query, windows, parts.Key, parts.Result, parts.Keys, parts.Identity, use), events,
            new(parts.Kernel, events, use?.Asked ?? AggregateKinds.All)).KeepingAsked();
    }

    internal Operator<T> Sorted<TMark, TRule>(TRule rule)
        where TMark : struct
        where TRule : struct, IWindowRule<T, TMark> =>
        new SortedWindowOperator<TKey, T, TState, TValue, TKernel, TResult, TMark, TRule>(this, rule);
}

/// <summary>Puts a window's results out: its time is the window's last instant, its identity the key and the window.</summary>
internal sealed class WindowOutput<TKey, TState, TResult>(Operator<TResult> next, IWindowResult<TKey, TState, TResult> result, bool identity)
    : IDisposable
    where TKey : notnull
{
    private readonly OrderedOutput<TResult> _output = new(next);

    /// <summary>How many results wait to be given out.</summary>
    internal int Count => _output.Count;

    internal IWindowResult<TKey, TState, TResult> Result => result;

    internal void Emit(in WindowInfo<TKey> window, byte group, ref TState state) => Emit(in window, group, ref state, window.EndTicks - 1, 0);

    /// <summary>A result at a time of its own, where several windows of a key may have the same bounds.</summary>
    internal void Emit(in WindowInfo<TKey> window, byte group, ref TState state, long ticks, int ordinal)
    {
        if (identity)
        {
            if (result.TryMake(in window, ref state, out var made))
            {
                Put(in window, group, made, window.IsUpdate ? EventKind.Update : EventKind.Insert, ticks, ordinal);
            }
        }
        else if (result.TryMake(in window, ref state, out _output.Next()))
        {
            // Made where it stands: a copy would wait for the parts that have just been written.
            _output.Add(ticks, group);
        }
    }

    /// <summary>Makes room for so many results of one time, in order of their groups: where they will stand, once they are put there.</summary>
    internal Span<TResult> Reserve(int results, long ticks, byte firstGroup) => _output.Reserve(results, identity, ticks, firstGroup);

    /// <summary>Puts what was made in the room for it, without identity; the groups are those of the places.</summary>
    internal void PutReserved(ReadOnlySpan<int> places, byte[] groups, long ticks) => _output.AddReserved(places, groups, ticks);

    /// <summary>The same by the results' own groups.</summary>
    internal void PutReserved(ReadOnlySpan<byte> groups, long ticks) => _output.AddReserved(groups, ticks);

    /// <summary>Puts the next result that was made in the room for it, with its identity.</summary>
    internal void PutReserved(in WindowInfo<TKey> window, byte group, long ticks, int ordinal) =>
        _output.AddReserved(ticks, group, new ResultId(window.Key, window.StartTicks, window.EndTicks, ordinal), EventKind.Insert);

    /// <summary>The same as <see cref="Emit(in WindowInfo{TKey}, byte, ref TState, long, int)"/> where there is room: it is made where it will stand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void EmitReserved(in WindowInfo<TKey> window, byte group, ref TState state, long ticks, int ordinal)
    {
        if (!result.TryMake(in window, ref state, out _output.Reserved))
        {
            return;
        }

        if (identity)
        {
            _output.AddReserved(ticks, group, new ResultId(window.Key, window.StartTicks, window.EndTicks, ordinal), EventKind.Insert);
        }
        else
        {
            _output.AddReserved(ticks, group);
        }
    }

    /// <summary>A result that was made before.</summary>
    internal void Put(in WindowInfo<TKey> window, byte group, TResult made, EventKind kind, int ordinal) =>
        Put(in window, group, made, kind, window.EndTicks - 1, ordinal);

    private void Put(in WindowInfo<TKey> window, byte group, TResult made, EventKind kind, long ticks, int ordinal)
    {
        if (identity)
        {
            _output.Add(made, ticks, group, new ResultId(window.Key, window.StartTicks, window.EndTicks, ordinal), kind);
        }
        else
        {
            _output.Add(made, ticks, group);
        }
    }

    /// <summary>Corrects a result, or takes it back, that was given with these bounds; the window may have others by now.</summary>
    internal void Correct(in WindowInfo<TKey> window, byte group, ref TState state, long givenStart, long givenEnd, EventKind kind)
    {
        if (!result.TryMake(in window, ref state, out var made))
        {
            return;
        }

        if (identity)
        {
            _output.Add(made, window.EndTicks - 1, group, new ResultId(window.Key, givenStart, givenEnd, 0), kind);
        }
        else
        {
            _output.Add(made, window.EndTicks - 1, group);
        }
    }

    /// <summary>Gives out what has been collected, in order of time and key group. Called before a watermark goes on.</summary>
    internal void Flush() => _output.Flush();

    internal void Save(StateWriter writer) => _output.Save(
        writer, static (w, value) => StateCodec.Require<TResult>().Write(w, value), static (w, id) => StateCodec.Require<TKey>().Write(w, (TKey)id!));

    internal void Load(StateReader reader, KeyRange keys) => _output.Load(
        reader, keys, static r => StateCodec.Require<TResult>().Read(r), static r => StateCodec.Require<TKey>().Read(r));

    public void Dispose() => _output.Dispose();
}
