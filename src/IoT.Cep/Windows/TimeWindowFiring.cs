using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>How windows that follow from time alone give their results when they end.</summary>
internal sealed partial class TimeWindowOperator<TKey, T, TState, TValue, TKernel, TResult>
{
    /// <summary>So many keys' windows are put together before the first is given: what stands between stays in the first cache.</summary>
    private const int FiredTogether = 256;

    private void FireWindow(int series, long start, long end)
    {
        var (front, back) = _panes.PartsOf(series, start);
        if (front is null && back is null)
        {
            return;
        }

        if (TKernel.IsPlain && !_isHeld)
        {
            FirePlain(front ?? back!, front is null ? null : back, start, end);
        }
        else
        {
            FireEach(front, back, start, end, _isHeld ? _held.At(series, start, end, _watermark) : null);
        }

        _held.FireAt = 0;
    }

    /// <summary>States that merge without fail are merged in one go, a stretch of keys at a time.</summary>
    private void FirePlain(TState[] front, TState[]? back, long start, long end)
    {
        Pooled.Ensure(ref _numbers, FiredTogether);
        Pooled.Ensure(ref _merged, FiredTogether);
        Pooled.Ensure(ref _groups, FiredTogether);
        var order = _keys.InOrder();
        while (_held.FireAt < order.Length)
        {
            FlushIfFull(EventBuffer<TResult>.DefaultCapacity - FiredTogether + 1);
            int next = Math.Min(_held.FireAt + FiredTogether, order.Length);
            int count = Merge(front, back, order[..next]);
            if (count > 0 && _atOnce is not null)
            {
                MakeMerged(_atOnce, count, start, end);
            }
            else if (count > 0)
            {
                EmitMerged(order, count, start, end);
            }

            _held.FireAt = next;
        }
    }

    /// <summary>Merges what the next keys have, and notes the places of those that have something. Gives their number.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int Merge(TState[] front, TState[]? back, ReadOnlySpan<int> order)
    {
        var (kernel, places, merged, groups, count) = (_kernel, _numbers, _merged, _groups, 0);
        ref var entries = ref _keys.At(0);
        for (int place = _held.FireAt; place < order.Length; place++)
        {
            int number = order[place];
            ref var entry = ref Unsafe.Add(ref entries, number);
            var state = At(front, number);
            if (back is not null)
            {
                kernel.Merge(ref state, in At(back, number));
            }

            // Without a jump: which keys have events can't be foretold.
            ref var window = ref merged[count];
            window.State = state;
            window.Key = entry.Key;
            groups[count] = entry.Group;
            places[count] = place;
            count += Unsafe.BitCast<bool, byte>(kernel.HasEvents(in state));
        }

        return count;
    }

    /// <summary>In order of their groups, as they are put together here, results stand where they are made.</summary>
    private void MakeMerged(IResultsAtOnce<TKey, TState, TResult> results, int count, long start, long end)
    {
        int made = 0;
        var room = _output.Reserve(count, end - 1, _groups[0]);
        try
        {
            results.Make(start, end, _merged.AsSpan(0, count), room, ref made);
        }
        finally
        {
            // Where a projection throws, those before it are given out, and it goes on behind this key.
            _output.PutReserved(_groups.AsSpan(0, made), end - 1);
            _held.FireAt = _numbers[Math.Min(made, count - 1)];
        }
    }

    /// <summary>The same result by result, where there is a condition, or results have an identity.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void EmitMerged(ReadOnlySpan<int> order, int count, long start, long end)
    {
        var (places, merged, groups, lives, output) = (_numbers, _merged, _groups, _lives, _output);
        output.Reserve(count, end - 1, groups[0]);
        for (int i = 0; i < count; i++)
        {
            // It goes on behind this key where its projection throws.
            _held.FireAt = places[i];
            ref var window = ref merged[i];
            output.EmitReserved(
                new WindowInfo<TKey>(window.Key, start, end), groups[i], ref window.State, end - 1, lives.OrdinalOf(order[places[i]]));
        }
    }

    /// <summary>Where user code merges, or windows can be corrected: key by key, so that one that fails does not hold up the others.</summary>
    private void FireEach(TState[]? front, TState[]? back, long start, long end, HeldWindows<TKey, T, TState, TValue, TKernel, TResult>.Held? held)
    {
        bool isAlone = held is null && (front is null || back is null);
        var order = _keys.InOrder();
        for (; _held.FireAt < order.Length; _held.FireAt++)
        {
            FlushIfFull(EventBuffer<TResult>.DefaultCapacity);
            int number = order[_held.FireAt];
            bool isInFront = front is not null && _kernel.HasEvents(in front[number]);
            bool isInBack = back is not null && _kernel.HasEvents(in back[number]);
            if (!isInFront && !isInBack)
            {
                continue;
            }

            ref var entry = ref _keys.At(number);
            if (isAlone)
            {
                _output.Emit(new WindowInfo<TKey>(entry.Key, start, end), entry.Group, ref (front ?? back!)[number], end - 1, _lives.OrdinalOf(number));
                continue;
            }

            TState state = default;
            if (isInFront)
            {
                _kernel.Merge(ref state, in front![number]);
            }

            if (isInBack)
            {
                _kernel.Merge(ref state, in back![number]);
            }

            if (held is not null)
            {
                held.States[number] = state;
                _held.Give(held, number, entry.Key, entry.Group, Firing.OnTime);
            }
            else
            {
                _output.Emit(new WindowInfo<TKey>(entry.Key, start, end), entry.Group, ref state, end - 1, _lives.OrdinalOf(number));
                _kernel.Release(ref state);
            }
        }
    }

    /// <summary>In order as they are, results need not wait for each other; and so few stay in the cache.</summary>
    private void FlushIfFull(int full)
    {
        if (_mayFlush && _output.Count >= full)
        {
            _output.Flush();
        }
    }
}
