using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace IoT.Cep.Extensibility;

/// <summary>Reads what a <see cref="StateWriter"/> wrote, in the same order.</summary>
/// <param name="state">The saved bytes.</param>
public sealed class StateReader(ReadOnlyMemory<byte> state)
{
    private int _at;

    /// <summary>Whether all was read.</summary>
    public bool AtEnd => _at == state.Length;

    /// <summary>Reads a byte.</summary>
    public byte Byte() => Take(1)[0];

    /// <summary>Reads a flag.</summary>
    public bool Boolean() => Byte() != 0;

    /// <summary>Reads a 32-bit number.</summary>
    public int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Take(sizeof(int)));

    /// <summary>Reads a 64-bit number.</summary>
    public long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Take(sizeof(long)));

    /// <summary>Reads a floating-point number.</summary>
    public double Double() => BitConverter.Int64BitsToDouble(Int64());

    /// <summary>Reads an instant with its offset.</summary>
    public DateTimeOffset Time()
    {
        long utcTicks = Int64();
        var offset = TimeSpan.FromMinutes(Int32());
        return new DateTimeOffset(utcTicks + offset.Ticks, offset);
    }

    /// <summary>Reads text, or null.</summary>
    public string? Text()
    {
        int length = Int32();
        return length < 0 ? null : Encoding.UTF8.GetString(Take(length));
    }

    /// <summary>Reads a value without references.</summary>
    /// <typeparam name="T">The value's type.</typeparam>
    public T Raw<T>()
        where T : struct
    {
        if (RuntimeHelpers.IsReferenceOrContainsReferences<T>())
        {
            throw new InvalidOperationException($"{typeof(T)} contains references and can't be read from bytes.");
        }

        T value = default;
        var bytes = MemoryMarshal.AsBytes(new Span<T>(ref value));
        Take(bytes.Length).CopyTo(bytes);
        return value;
    }

    /// <summary>Reads bytes with their length.</summary>
    public ReadOnlyMemory<byte> Bytes()
    {
        int length = Int32();
        Take(length);
        return state.Slice(_at - length, length);
    }

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length < 0 || length > state.Length - _at)
        {
            throw new InvalidDataException($"Saved state ends at byte {state.Length}; {length} bytes were expected at {_at}.");
        }

        var taken = state.Span.Slice(_at, length);
        _at += length;
        return taken;
    }
}
