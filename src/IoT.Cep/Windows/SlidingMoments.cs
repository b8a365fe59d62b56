using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Windows of one selector's sum, minimum and maximum, or of the count alone. An event that leaves is taken out of the sum again; extremes are kept by
/// the values that may still become one. The queue keeps the events' values, so that a key can be added up anew, and what is asked for later than
/// from the beginning can be had.
/// </summary>
internal readonly partial struct SlidingMoments<T, TValue, TKernel>(TKernel kernel, EventQueue<SlidingValue> events, AggregateKinds asked)
    : ISlidingStates<T, Moments, TValue, MomentsWindow, SlidingValue>
    where TKernel : struct, IWindowKernel<T, Moments, TValue>
{
    private readonly TKernel _kernel = kernel;
    private readonly EventQueue<SlidingValue> _events = events;
    private readonly SlidingParts _parts = new(asked);

    public static byte Form => 3; // 2 was that of sums with all their magnitudes

    public static bool IsPlain => true;

    public int UsedBlocks => _parts.UsedBlocks;

    public AggregateKinds Kept => _parts.Kept;

    public static int CountOf(in MomentsWindow window) => window.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TValue Take(in T value, long ticks) => _kernel.Select(in value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Push(ref MomentsWindow window, int place, long ticks, in TValue item, ref SlidingValue more)
    {
        double value = NumberOf(in item);
        more.Before = window.Youngest;
        more.Number = value;
        uint number = _events.LastNumber;
        window.Youngest = number;
        window.Count++;
        if (_parts.KeepsSum)
        {
            AddToSum(ref window, value, number);
        }

        var (least, greatest) = (_parts.Least, _parts.Greatest);
        least?.Push(place, ticks, -value);
        greatest?.Push(place, ticks, value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Pop(ref MomentsWindow window, int place, uint number, in SlidingValue more)
    {
        if (--window.Count == 0)
        {
            Empty(ref window, place);
        }
        else if (_parts.KeepsSum)
        {
            RemoveFromSum(ref window, more.Number, number);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void RemoveFromSum(ref MomentsWindow window, double value, uint number)
    {
        if (window.Rare != 0)
        {
            RemoveFromRare(ref window, value, number);
        }
        else if (window.Sum.Remove(value, number))
        {
            AddUpAnew(ref window);
        }
    }

    /// <summary>Only a key that has rare values can lose one.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void RemoveFromRare(ref MomentsWindow window, double value, uint number)
    {
        bool isRare = RunningSum.IsTooLarge(RunningSum.ExponentOf(value));
        if (isRare ? _parts.Rare.Remove(ref window.Rare, value, number) : window.Sum.Remove(value, number))
        {
            AddUpAnew(ref window);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private double TotalOf(in MomentsWindow window) =>
        window.Rare == 0 ? window.Sum.Value : _parts.Rare.With(window.Rare, window.Sum.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Sum(ref MomentsWindow window, int place, long start, ref Moments sum)
    {
        double total = TotalOf(in window);
        var (least, greatest) = (_parts.Least, _parts.Greatest);
        sum.Set(window.Count, total, least is null ? 0 : -least.Greatest(place, start), greatest is null ? 0 : greatest.Greatest(place, start));
    }

    public void Release(ref Moments sum)
    {
    }

    public void Widen<TKey>(AggregateKinds kinds, WindowKeys<TKey, MomentsWindow> keys)
        where TKey : notnull
    {
        var added = kinds & ~_parts.Kept;
        _parts.Keep(kinds);
        AddAll(added, keys);
    }

    public void SaveCommon(StateWriter writer) => writer.Byte((byte)_parts.Kept);

    public void LoadCommon(StateReader reader) => _parts.KeepSaved((AggregateKinds)reader.Byte());

    public void Save(StateWriter writer, ref MomentsWindow window)
    {
        writer.Int32(window.Count);
        window.Sum.Save(writer);
        _parts.Rare.Save(writer, window.Rare);
    }

    public void Load(StateReader reader, ref MomentsWindow window)
    {
        window.Count = reader.Int32();
        window.Sum = RunningSum.Load(reader);
        window.Rare = _parts.Rare.Load(reader);
    }

    public void SaveEvent(StateWriter writer, in SlidingValue more) => writer.Double(more.Number);

    public SlidingValue LoadEvent(StateReader reader) => new() { Number = reader.Double() };

    public void Relink<TKey>(WindowKeys<TKey, MomentsWindow> keys)
        where TKey : notnull
    {
        var (first, count) = _events.Numbers;
        for (uint number = first; number - first < (uint)count; number++)
        {
            ref var entry = ref _events.Numbered(number);
            ref var window = ref keys.At(entry.Place).State;
            entry.More.Before = window.Youngest;
            window.Youngest = number;
            Mark(ref window, entry.More.Number, number);
        }

        _parts.Least?.ClearAll();
        _parts.Greatest?.ClearAll();
        AddAll(_parts.Kept & ~(_parts.LacksSavedSums ? AggregateKinds.None : AggregateKinds.Sum), keys);
        _parts.LacksSavedSums = false;
    }

    public void Clear(ref MomentsWindow window)
    {
        _parts.Rare.Clear(ref window.Rare);
        window = default;
    }

    public void Dispose() => _parts.GiveBack();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double NumberOf(in TValue item)
    {
        var value = item;
        return typeof(TValue) == typeof(double) ? Unsafe.As<TValue, double>(ref value) : 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void AddToSum(ref MomentsWindow window, double value, uint number)
    {
        int exponent = RunningSum.ExponentOf(value);
        if (RunningSum.IsTooLarge(exponent))
        {
            _parts.Rare.Add(ref window.Rare, value, number);
        }
        else
        {
            window.Sum.Add(value, exponent, number);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Empty(ref MomentsWindow window, int place)
    {
        _parts.Least?.Clear(place);
        _parts.Greatest?.Clear(place);
        Clear(ref window);
    }

    /// <summary>The sum of what is left, from the youngest to the oldest.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void AddUpAnew(ref MomentsWindow window)
    {
        window.Sum = default;
        _parts.Rare.Clear(ref window.Rare);
        uint number = window.Youngest;
        for (int left = window.Count; left > 0; left--)
        {
            ref var more = ref _events.Numbered(number).More;
            AddToSum(ref window, more.Number, number);
            number = more.Before;
        }

        MarkYoungest(ref window);
    }

    /// <summary>Finds the youngest large values of sums that were made in the other order.</summary>
    private void MarkYoungest(ref MomentsWindow window)
    {
        uint number = window.Youngest;
        bool isMarked = false, isRareMarked = window.Rare == 0;
        for (int left = window.Count; left > 0 && !(isMarked && isRareMarked); left--)
        {
            ref var more = ref _events.Numbered(number).More;
            int exponent = RunningSum.ExponentOf(more.Number);
            if (!RunningSum.IsTooLarge(exponent))
            {
                isMarked = isMarked || window.Sum.MarkYoungest(exponent, number);
            }
            else
            {
                isRareMarked = isRareMarked || _parts.Rare.MarkYoungest(window.Rare, more.Number, number);
            }

            number = more.Before;
        }
    }

    /// <summary>An event has another number from here on, and is younger than all others of which this was said.</summary>
    private void Mark(ref MomentsWindow window, double value, uint number)
    {
        int exponent = RunningSum.ExponentOf(value);
        if (!RunningSum.IsTooLarge(exponent))
        {
            window.Sum.Mark(exponent, number);
        }
        else if (window.Rare != 0)
        {
            _parts.Rare.Mark(window.Rare, value, number);
        }
    }

    /// <summary>Makes these aggregates of all keys out of the events.</summary>
    private void AddAll<TKey>(AggregateKinds kinds, WindowKeys<TKey, MomentsWindow> keys)
        where TKey : notnull
    {
        if (kinds.HasFlag(AggregateKinds.Sum))
        {
            foreach (int place in keys.Taken())
            {
                AddUpAnew(ref keys.At(place).State);
            }
        }

        var least = kinds.HasFlag(AggregateKinds.Minimum) ? _parts.Least : null;
        var greatest = kinds.HasFlag(AggregateKinds.Maximum) ? _parts.Greatest : null;
        foreach (var (ticks, entry, _) in _events.All())
        {
            Debug.Assert(keys.IsTaken(entry.Place), "The queue names a key that has gone.");
            least?.Push(entry.Place, ticks, -entry.More.Number);
            greatest?.Push(entry.Place, ticks, entry.More.Number);
        }
    }
}

/// <summary>What a key's window is, in 36 bytes: its sum, and its youngest event, from which the chain leads to the older ones.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal struct MomentsWindow
{
    internal RunningSum Sum;
    internal uint Youngest;
    internal int Count;

    /// <summary>0, or where the values that are no plain numbers are counted.</summary>
    internal int Rare;
}

/// <summary>An event's value in the queue, and its key's event before it. Packed, so that an event of the queue has 24 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal struct SlidingValue
{
    internal uint Before;
    internal double Number;
}

/// <summary>What is kept besides the windows themselves.</summary>
internal sealed class SlidingParts
{
    internal readonly RareValues Rare = new();
    internal bool KeepsSum;

    /// <summary>Whether sums are wanted that saved state did not have.</summary>
    internal bool LacksSavedSums;

    internal SlidingParts(AggregateKinds kept) => Keep(kept);

    /// <summary>The negatives of values, the greatest of which is the least value.</summary>
    internal FallingValues? Least { get; private set; }

    internal FallingValues? Greatest { get; private set; }

    internal AggregateKinds Kept { get; private set; }

    internal int UsedBlocks => Rare.Count + (Least?.UsedRings ?? 0) + (Greatest?.UsedRings ?? 0);

    internal void Keep(AggregateKinds kinds)
    {
        Kept |= kinds;
        KeepsSum = Kept.HasFlag(AggregateKinds.Sum);
        Least ??= Kept.HasFlag(AggregateKinds.Minimum) ? new FallingValues() : null;
        Greatest ??= Kept.HasFlag(AggregateKinds.Maximum) ? new FallingValues() : null;
    }

    internal void KeepSaved(AggregateKinds kinds)
    {
        LacksSavedSums |= KeepsSum && !kinds.HasFlag(AggregateKinds.Sum);
        Keep(kinds);
    }

    internal void GiveBack()
    {
        Least?.Dispose();
        Greatest?.Dispose();
    }
}
