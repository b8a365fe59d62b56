using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// The values in a key's window that a running sum can't take back: NaN and infinities are counted, and numbers so large that their sum may overflow
/// are summed by themselves, scaled down. Few keys have any.
/// </summary>
internal sealed class RareValues
{
    private const double Down = 6.223015277861142e-61; // 2^-200
    private const double Up = 1.6069380442589903e60; // 2^200

    // The first is nobody's: 0 says that a key has none.
    private Values[] _values = new Values[1];
    private int _end = 1;
    private int _free;

    /// <summary>How many keys have such values.</summary>
    internal int Count { get; private set; }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal void Add(ref int key, double value, uint number)
    {
        if (key == 0)
        {
            key = Rent();
        }

        ref var values = ref _values[key];
        Counter(ref values, value)++;
        if (double.IsFinite(value))
        {
            double down = value * Down;
            values.HugeSum.Add(down, RunningSum.ExponentOf(down), number);
        }
    }

    /// <summary>Takes a value out. True where the key has to be added up anew, as <see cref="RunningSum.Remove"/> says.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal bool Remove(ref int key, double value, uint number)
    {
        ref var values = ref _values[key];
        Counter(ref values, value)--;
        if (values.Huge + values.Nans + values.Positive + values.Negative == 0)
        {
            Clear(ref key);
            return false;
        }

        if (!double.IsFinite(value))
        {
            return false;
        }

        if (values.Huge == 0)
        {
            values.HugeSum = default;
            return false;
        }

        return values.HugeSum.Remove(value * Down, number);
    }

    /// <summary>As <see cref="RunningSum.Mark"/>.</summary>
    internal void Mark(int key, double value, uint number)
    {
        if (double.IsFinite(value))
        {
            _values[key].HugeSum.Mark(RunningSum.ExponentOf(value * Down), number);
        }
    }

    /// <summary>As <see cref="RunningSum.MarkYoungest"/>.</summary>
    internal bool MarkYoungest(int key, double value, uint number) =>
        double.IsFinite(value) && _values[key].HugeSum.MarkYoungest(RunningSum.ExponentOf(value * Down), number);

    /// <summary>The sum of these values and the others.</summary>
    internal double With(int key, double sum)
    {
        ref var values = ref _values[key];
        return values.Nans > 0 || (values.Positive > 0 && values.Negative > 0) ? double.NaN
            : values.Positive > 0 ? double.PositiveInfinity
            : values.Negative > 0 ? double.NegativeInfinity
            : values.Huge > 0 ? (values.HugeSum.Value + (sum * Down)) * Up
            : sum;
    }

    internal void Clear(ref int key)
    {
        if (key != 0)
        {
            _values[key] = new Values { Huge = _free };
            (_free, key) = (key, 0);
            Count--;
        }
    }

    internal void Save(StateWriter writer, int key)
    {
        writer.Boolean(key != 0);
        if (key != 0)
        {
            writer.Raw(in _values[key]);
        }
    }

    internal int Load(StateReader reader)
    {
        if (!reader.Boolean())
        {
            return 0;
        }

        int key = Rent();
        _values[key] = reader.Raw<Values>();
        return key;
    }

    private static ref int Counter(ref Values values, double value)
    {
        if (double.IsNaN(value))
        {
            return ref values.Nans;
        }

        if (double.IsFinite(value))
        {
            return ref values.Huge;
        }

        return ref value > 0 ? ref values.Positive : ref values.Negative;
    }

    private int Rent()
    {
        Count++;
        int key = _free;
        if (key != 0)
        {
            _free = _values[key].Huge;
            _values[key] = default;
            return key;
        }

        if (_end == _values.Length)
        {
            Array.Resize(ref _values, _end * 2);
        }

        return _end++;
    }

    private struct Values
    {
        internal int Nans;
        internal int Positive;
        internal int Negative;
        internal int Huge;
        internal RunningSum HugeSum;
    }
}
