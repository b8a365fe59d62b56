namespace IoT.Cep;

/// <summary>Follows the frames in a stream of MQTT bytes and tells when one announces more than it may hold.</summary>
/// <param name="maxFrameBytes">The largest remaining length; 0: no limit.</param>
internal struct FrameLimit(int maxFrameBytes)
{
    private long _skip;
    private int _length;
    private int _shift = -1;

    /// <summary>Takes the next bytes. False: a frame is too large, or its length is malformed.</summary>
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
                // The packet's type and flags.
                _shift = 0;
                _length = 0;
                i++;
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
}
