using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// A sum of numbers that come, and go in the same order, in two doubles: what an addition rounds away is kept in the second one and comes back (Knuth, "The
/// Art of Computer Programming", volume 2, 4.2.2, theorem B; Dekker, "A floating-point technique for extending the available precision", 1971). An
/// addition or removal is wrong by about 2^-105 of the largest sum, so that the numbers of years leave no trace in the 53 bits that are shown.
/// </summary>
/// <remarks>
/// That holds while what remains is not much smaller than what once was there. Numbers leave in the order in which they came, so it is enough to know the
/// youngest one that is large, which is more than a millionth of the largest there was: <see cref="Remove"/> says when it leaves, and the numbers that are
/// left have to be added up anew then. To get there again, large numbers have to come and all of them to leave: that is once in a window's length, as many
/// steps as there were events in it. Numbers are below 2^900, so that nothing overflows.
/// </remarks>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal struct RunningSum
{
    private const int ExponentBit = 52;
    private const int AllOnes = 0x7FF;
    private const int Bias = 1023;
    private const int Huge = Bias + 900;
    private const int Worn = 20;

    private double _high;
    private double _low;

    /// <summary>The number of the youngest large value.</summary>
    private uint _large;

    /// <summary>The exponent, as it is stored, from which on a value is large.</summary>
    private short _least;

    /// <summary>The sum, to the last bit but for ties.</summary>
    internal readonly double Value => _high;

    /// <summary>A number's exponent as it is stored.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int ExponentOf(double value) => (int)(BitConverter.DoubleToUInt64Bits(value) >> ExponentBit) & AllOnes;

    /// <summary>Whether a number with this exponent is too large to be added, infinite, or none at all.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsTooLarge(int exponent) => exponent >= Huge;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Add(double value, int exponent, uint number)
    {
        Change(value);
        Mark(exponent, number);
    }

    /// <summary>Takes out the oldest value. True where the digits of what remains may be missing, so that it has to be added up anew.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool Remove(double value, uint number)
    {
        Change(-value);
        return number == _large;
    }

    /// <summary>Notes a value that was added, or has another number from here on, younger than all others of which this was said.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Mark(int exponent, uint number)
    {
        if (exponent >= _least)
        {
            _large = number;
            if (exponent > _least + Worn)
            {
                _least = (short)(exponent - Worn);
            }
        }
    }

    /// <summary>The same of one value after the other from the youngest on, once all were added: true with the one that it is.</summary>
    internal bool MarkYoungest(int exponent, uint number)
    {
        if (exponent < _least)
        {
            return false;
        }

        _large = number;
        return true;
    }

    internal readonly void Save(StateWriter writer)
    {
        writer.Double(_high);
        writer.Double(_low);
        writer.Int32(_least);
    }

    /// <summary>The numbers of its values are said by <see cref="Mark"/> afterwards.</summary>
    internal static RunningSum Load(StateReader reader) => new() { _high = reader.Double(), _low = reader.Double(), _least = (short)reader.Int32() };

    /// <summary>TwoSum, and what it lost into the low part, of which the high one takes what it can hold.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Change(double value)
    {
        double high = _high + value;
        double part = high - _high;
        double low = _low + ((_high - (high - part)) + (value - part));
        double sum = high + low;
        _low = low - (sum - high);
        _high = sum;
    }
}
