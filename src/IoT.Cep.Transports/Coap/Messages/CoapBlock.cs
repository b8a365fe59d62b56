namespace IoT.Cep;

/// <summary>The value of a Block option (RFC 7959, 2.2): which block, whether more follow, and how large blocks are.</summary>
/// <param name="Number">The block's number, from 0; up to 20 bits.</param>
/// <param name="HasMore">Whether blocks follow.</param>
/// <param name="SizeExponent">0 to 6: 16 to 1,024 bytes; 7: blocks of 1,024 bytes, several at once, over streams only (BERT, RFC 8323).</param>
internal readonly record struct CoapBlock(int Number, bool HasMore, int SizeExponent)
{
    internal const int MaxNumber = (1 << 20) - 1;
    internal const int Bert = 7;

    /// <summary>The block's size in bytes, and the unit that its number counts.</summary>
    internal int Size => SizeExponent == Bert ? 1024 : 16 << SizeExponent;

    internal long Offset => (long)Number * Size;

    internal uint Value => ((uint)Number << 4) | (HasMore ? 8u : 0u) | (uint)SizeExponent;

    internal static CoapBlock Read(uint value) => new((int)(value >> 4), (value & 8) != 0, (int)(value & 7));

    /// <summary>The largest exponent whose blocks are no longer than this.</summary>
    /// <param name="bytes">At least 16.</param>
    internal static int ExponentOf(int bytes)
    {
        int exponent = 6;
        while (exponent > 0 && (16 << exponent) > bytes)
        {
            exponent--;
        }

        return exponent;
    }
}
