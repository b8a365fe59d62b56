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
        var order = _keys.InOrder();
        while (_held.FireAt < order.Length)
        {
            FlushIfFull(EventBuffer<TResult>.DefaultCapacity - FiredTogether + 1);
            int next = Math.Min(_held.FireAt + FiredTogether, order.Length);
            EmitMerged(order, Merge(front, back, order[..next]), start, end);
            _held.FireAt = next;
        }
    }

    /// <summary>Merges what the next keys have, and notes the places of those that have something. Gives their number.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int Merge(TState[] front, TState[]? back, ReadOnlySpan<int> order)
    {
        var (kernel, places, merged, count) = (_kernel, _numbers, _merged, 0);
        for (int place = _held.FireAt; place < order.Length; place++)
        {
            int number = order[place];
            var state = front[number];
            if (back is not null)
            {
                kernel.Merge(ref state, in back[number]);
            }

            // Without a jump: which keys have events can't be foretold.
            merged[count] = state;
            places[count] = place;
            count += Unsafe.BitCast<bool, byte>(kernel.HasEvents(in state));
        }

        return count;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void EmitMerged(ReadOnlySpan<int> order, int count, long start, long end)
    {
        if (count == 0)
        {
            return;
        }

        // In order of their groups, as they are put together here, they stand where they are made.
        var (places, merged, keys, lives, output) = (_numbers, _merged, _keys, _lives, _output);
        output.Reserve(count, end - 1, keys.At(order[places[0]]).Group);
        for (int i = 0; i < count; i++)
        {
            // It goes on behind this key where its projection throws.
            _held.FireAt = places[i];
            int number = order[places[i]];
            ref var entry = ref keys.At(number);
            output.EmitReserved(new WindowInfo<TKey>(entry.Key, start, end), entry.Group, ref merged[i], end - 1, lives.OrdinalOf(number));
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
