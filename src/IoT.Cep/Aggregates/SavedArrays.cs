using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Arrays in saved state. Lengths are believed only as far as the bytes go.</summary>
internal static class SavedArrays
{
    /// <summary>Writes numbers as the bytes that they are.</summary>
    internal static void Write<T>(StateWriter writer, ReadOnlySpan<T> values)
        where T : unmanaged => writer.Bytes(MemoryMarshal.AsBytes(values));

    internal static T[] Read<T>(StateReader reader)
        where T : unmanaged
    {
        var bytes = reader.Bytes().Span;
        Require(bytes.Length % Unsafe.SizeOf<T>() == 0);
        var values = new T[bytes.Length / Unsafe.SizeOf<T>()];
        bytes.CopyTo(MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    internal static void Require(bool isValid)
    {
        if (!isValid)
        {
            throw new InvalidDataException("Saved state of an aggregate is not what this aggregate saves: it was saved by another projection, or is damaged.");
        }
    }
}
