using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Which of two values stands first, as a struct so that the least and the greatest are one piece of code.</summary>
internal interface IDirection
{
    /// <summary>Below zero where <paramref name="a"/> is to be preferred.</summary>
    static abstract int Compare<T>(T a, T b);
}

internal readonly struct Least : IDirection
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Compare<T>(T a, T b) => ValueOrder.IsNaN(a) || ValueOrder.IsNaN(b)
        ? ValueOrder.IsNaN(b).CompareTo(ValueOrder.IsNaN(a))
        : ValueOrder.Compare(a, b);
}

internal readonly struct Greatest : IDirection
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Compare<T>(T a, T b) => ValueOrder.IsNaN(a) || ValueOrder.IsNaN(b)
        ? ValueOrder.IsNaN(b).CompareTo(ValueOrder.IsNaN(a))
        : ValueOrder.Compare(b, a);
}

/// <summary>How values are compared: text by its code units, the same on every machine; anything else as it compares itself.</summary>
internal static class ValueOrder
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int Compare<T>(T a, T b) => typeof(T) == typeof(string)
        ? string.CompareOrdinal(Unsafe.As<T, string?>(ref a), Unsafe.As<T, string?>(ref b))
        : Comparer<T>.Default.Compare(a, b);

    /// <summary>Whether it is a NaN, which makes a least or greatest value NaN, as it makes a sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsNaN<T>(T value) => typeof(T) == typeof(double) ? double.IsNaN(Unsafe.As<T, double>(ref value))
        : typeof(T) == typeof(float) ? float.IsNaN(Unsafe.As<T, float>(ref value))
        : typeof(T) == typeof(Half) && Half.IsNaN(Unsafe.As<T, Half>(ref value));
}

/// <summary>The least or greatest value of any comparable type; null is no value.</summary>
internal record struct Extreme<T, TDirection> : IAccumulator<T, Extreme<T, TDirection>>, ISaveable
    where TDirection : struct, IDirection
{
    private bool _hasValue;

    internal T Value { readonly get; private set; }

    public void Add(in T value)
    {
        if (value is not null && (!_hasValue || TDirection.Compare(value, Value) < 0))
        {
            (Value, _hasValue) = (value, true);
        }
    }

    public void Merge(in Extreme<T, TDirection> other)
    {
        if (other._hasValue)
        {
            Add(other.Value);
        }
    }

    public readonly void Save(StateWriter writer)
    {
        writer.Boolean(_hasValue);
        if (_hasValue)
        {
            StateCodec.Require<T>().Write(writer, Value);
        }
    }

    public void Load(StateReader reader)
    {
        _hasValue = reader.Boolean();
        Value = _hasValue ? StateCodec.Require<T>().Read(reader) : default!;
    }
}

/// <summary>The event with the least or greatest value; of equal ones the earliest, and of those at one time the first to arrive.</summary>
internal record struct ExtremeBy<T, TBy, TDirection> : ITimedAccumulator<(TBy By, T Value), ExtremeBy<T, TBy, TDirection>>, ISaveable
    where TDirection : struct, IDirection
{
    private Edge<(TBy By, T Value)> _best;

    internal readonly T Value => _best.Value.Value;

    public void Add(in (TBy By, T Value) value, long ticks)
    {
        if (_best.HasValue)
        {
            int order = Compare(value.By, _best.Value.By);
            if (order > 0 || (order == 0 && ticks >= _best.Ticks))
            {
                return;
            }
        }

        _best.Set(in value, ticks);
    }

    public void Merge(in ExtremeBy<T, TBy, TDirection> other)
    {
        if (other._best.HasValue)
        {
            Add(in other._best.Value, other._best.Ticks);
        }
    }

    public readonly void Save(StateWriter writer)
    {
        writer.Boolean(_best.HasValue);
        if (_best.HasValue)
        {
            writer.Int64(_best.Ticks);
            StateCodec.Require<TBy>().Write(writer, _best.Value.By);
            StateCodec.Require<T>().Write(writer, _best.Value.Value);
        }
    }

    public void Load(StateReader reader)
    {
        if (reader.Boolean())
        {
            long ticks = reader.Int64();
            var by = StateCodec.Require<TBy>().Read(reader);
            _best.Set((by, StateCodec.Require<T>().Read(reader)), ticks);
        }
    }

    /// <summary>One without a value to compare stands behind all others.</summary>
    private static int Compare(TBy a, TBy b) => a is null || b is null ? (a is null).CompareTo(b is null) : TDirection.Compare(a, b);
}
