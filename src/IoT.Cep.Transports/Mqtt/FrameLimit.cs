namespace IoT.Cep;

/// <summary>Follows the frames in a stream of MQTT bytes and tells when one announces more than it may hold.</summary>
/// <param name="maxFrameBytes">The largest remaining length; 0: no limit.</param>
internal struct FrameLimit(int maxFrameBytes)
{
    private long _skip;
    private int _length;
    private int _shift = -1;

    /// <summary>Takes the next bytes. False: a frame is too large, or its type, flags or length are malformed.</summary>
    /// <param name="bytes">The bytes, in any portions.</param>
    internal bool Accepts(ReadOnlySpan<byte> bytes)
    {
        if (maxFrameBytes == 0)
        {
            return true;
        }

        int i = 0;
        while (i < bytes.Length)
        {
            if (_skip > 0)
            {
                int skipped = (int)Math.Min(_skip, bytes.Length - i);
                _skip -= skipped;
                i += skipped;
            }
            else if (_shift < 0)
            {
                if (!IsHead(bytes[i++]))
                {
                    return false;
                }

                _shift = 0;
                _length = 0;
            }
            else
            {
                byte b = bytes[i++];
                _length |= (b & 0x7F) << _shift;
                _shift += 7;
                bool ends = (b & 0x80) == 0;
                if (_length > maxFrameBytes || (!ends && _shift > 21))
                {
                    return false;
                }

                if (ends)
                {
                    _skip = _length;
                    _shift = -1;
                }
            }
        }

        return true;
    }

    /// <summary>A packet's type and flags (2.1.3): PUBLISH has flags of its own, three have the second bit set, the others none.</summary>
    private static bool IsHead(byte head) => (head >> 4) switch
    {
        0 => false,
        3 => (head & 0b0110) != 0b0110,
        6 or 8 or 10 => (head & 0b1111) == 0b0010,
        _ => (head & 0b1111) == 0,
    };
}
