using System.Buffers;

namespace IoT.Cep.Extensibility;

/// <summary>What <see cref="LineCutter.Take"/> found.</summary>
public enum LineCut
{
    /// <summary>No whole line: read on.</summary>
    None,

    /// <summary>A line.</summary>
    Line,

    /// <summary>A line that is longer than the limit: its first bytes. The rest of it is passed over.</summary>
    TooLong,
}

/// <summary>
/// Cuts what was read into lines, for a transport that hands over many of them at a time; <see cref="LineFraming.ReadAsync"/> does it one by one. A line ends in LF or CRLF; the last one needs no end. Empty
/// lines are passed over. Of a line that is too long no more is held than <see cref="LineOptions.MaxLineBytes"/> and what is read at once.
/// </summary>
/// <remarks>One for each input: it remembers where it is in a line. Not thread-safe.</remarks>
public sealed class LineCutter
{
    private readonly int _maxBytes;
    private long _searched;
    private int _skip;
    private bool _isDiscarding;

    /// <summary>Begins an input.</summary>
    /// <param name="options">Limits; <see cref="LineOptions.Default"/> where null.</param>
    public LineCutter(LineOptions? options)
    {
        options = LineOptions.Check(options);
        (_maxBytes, _skip) = (options.MaxLineBytes, options.SkipLines);
    }

    /// <summary>Takes the next line out of what was read. Call it until there is none; then examine all, consume what is left out of <paramref name="buffer"/>, and read on.</summary>
    /// <param name="buffer">What was read and not taken yet; less afterwards.</param>
    /// <param name="isLast">Whether the input ends with it.</param>
    /// <param name="line">The line, without its end.</param>
    public LineCut Take(ref ReadOnlySequence<byte> buffer, bool isLast, out ReadOnlySequence<byte> line)
    {
        while (TryTake(ref buffer, out line))
        {
            if (_isDiscarding)
            {
                _isDiscarding = false;
            }
            else if (_skip > 0)
            {
                _skip--;
            }
            else if (line.Length > 0)
            {
                return line.Length > _maxBytes ? LineCut.TooLong : LineCut.Line;
            }
        }

        // One byte more than the limit may be the CR of a line that is just within it.
        if (_isDiscarding || buffer.Length > _maxBytes + 1L)
        {
            return Discard(ref buffer, out line);
        }

        if (!isLast)
        {
            return LineCut.None;
        }

        line = _skip == 0 ? WithoutReturn(buffer) : default;
        buffer = buffer.Slice(buffer.End);
        _searched = 0;
        return line.Length == 0 ? LineCut.None : line.Length > _maxBytes ? LineCut.TooLong : LineCut.Line;
    }

    private LineCut Discard(ref ReadOnlySequence<byte> buffer, out ReadOnlySequence<byte> line)
    {
        bool isNew = !_isDiscarding && _skip == 0;
        _skip -= !_isDiscarding && _skip > 0 ? 1 : 0;
        line = isNew ? buffer : default;
        buffer = buffer.Slice(buffer.End);
        (_isDiscarding, _searched) = (true, 0);
        return isNew ? LineCut.TooLong : LineCut.None;
    }

    // What was searched in an earlier call holds no LF and is not searched again.
    private bool TryTake(ref ReadOnlySequence<byte> buffer, out ReadOnlySequence<byte> line)
    {
        if (_searched == 0)
        {
            int at = buffer.FirstSpan.IndexOf((byte)'\n');
            if (at >= 0)
            {
                line = WithoutReturn(buffer.Slice(0, at));
                buffer = buffer.Slice(at + 1);
                return true;
            }
        }

        var end = buffer.Slice(_searched).PositionOf((byte)'\n');
        if (end is null)
        {
            _searched = buffer.Length;
            line = default;
            return false;
        }

        _searched = 0;
        line = WithoutReturn(buffer.Slice(0, end.Value));
        buffer = buffer.Slice(buffer.GetPosition(1, end.Value));
        return true;
    }

    private static ReadOnlySequence<byte> WithoutReturn(in ReadOnlySequence<byte> line)
    {
        if (line.Length == 0)
        {
            return line;
        }

        byte last = line.IsSingleSegment ? line.FirstSpan[^1] : line.Slice(line.Length - 1).FirstSpan[0];
        return last == '\r' ? line.Slice(0, line.Length - 1) : line;
    }
}
