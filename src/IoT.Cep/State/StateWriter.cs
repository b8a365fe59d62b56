using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace IoT.Cep.Extensibility;

/// <summary>Writes an operator's state: little-endian, lengths first. The reader asks for the same things in the same order.</summary>
public sealed class StateWriter
{
    private readonly ArrayBufferWriter<byte> _buffer = new();

    /// <summary>What was written so far.</summary>
    public ReadOnlyMemory<byte> Written => _buffer.WrittenMemory;

    /// <summary>Writes a byte.</summary>
    /// <param name="value">The value.</param>
    public void Byte(byte value)
    {
        _buffer.GetSpan(1)[0] = value;
        _buffer.Advance(1);
    }

    /// <summary>Writes a flag.</summary>
    /// <param name="value">The value.</param>
    public void Boolean(bool value) => Byte(value ? (byte)1 : (byte)0);

    /// <summary>Writes a 32-bit number.</summary>
    /// <param name="value">The value.</param>
    public void Int32(int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(_buffer.GetSpan(sizeof(int)), value);
        _buffer.Advance(sizeof(int));
    }

    /// <summary>Writes a 64-bit number.</summary>
    /// <param name="value">The value.</param>
    public void Int64(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(_buffer.GetSpan(sizeof(long)), value);
        _buffer.Advance(sizeof(long));
    }

    /// <summary>Writes a floating-point number, bit for bit.</summary>
    /// <param name="value">The value.</param>
    public void Double(double value) => Int64(BitConverter.DoubleToInt64Bits(value));

    /// <summary>Writes an instant with its offset.</summary>
    /// <param name="value">The value.</param>
    public void Time(DateTimeOffset value)
    {
        Int64(value.UtcTicks);
        Int32((int)(value.Offset.Ticks / TimeSpan.TicksPerMinute));
    }

    /// <summary>Writes text, or null.</summary>
    /// <param name="value">The value.</param>
    public void Text(string? value)
    {
        if (value is null)
        {
            Int32(-1);
            return;
        }

        int length = Encoding.UTF8.GetByteCount(value);
        Int32(length);
        Encoding.UTF8.GetBytes(value, _buffer.GetSpan(length));
        _buffer.Advance(length);
    }

    /// <summary>Writes a value without references as the bytes that it is in memory.</summary>
    /// <typeparam name="T">The value's type.</typeparam>
    /// <param name="value">The value.</param>
    /// <exception cref="InvalidOperationException">The type contains references.</exception>
    public void Raw<T>(in T value)
        where T : struct
    {
        if (RuntimeHelpers.IsReferenceOrContainsReferences<T>())
        {
            throw new InvalidOperationException($"{typeof(T)} contains references and can't be written as bytes.");
        }

        var bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value));
        bytes.CopyTo(_buffer.GetSpan(bytes.Length));
        _buffer.Advance(bytes.Length);
    }

    /// <summary>Writes bytes with their length.</summary>
    /// <param name="value">The bytes.</param>
    public void Bytes(ReadOnlySpan<byte> value)
    {
        Int32(value.Length);
        value.CopyTo(_buffer.GetSpan(value.Length));
        _buffer.Advance(value.Length);
    }
}
