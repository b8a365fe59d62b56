namespace IoT.Cep;

/// <summary>The receive buffer: rented while there is something in it, or while the client sends several times a second.</summary>
internal sealed partial class IngestConnection
{
    /// <summary>Makes room for more bytes, and sets until when they must come.</summary>
    /// <returns>Whether to wait without a buffer first.</returns>
    private bool PrepareToRead()
    {
        long now = _endpoint.Now;
        if (_start == _end)
        {
            bool wasFull = _buffer is not null && _end == _buffer.Length;
            _start = _end = 0;
            _partialDeadline = 0;
            Volatile.Write(ref _deadline, IsKnown ? (_keepAlive > 0 ? now + _keepAlive : 0) : _connectDeadline);
            if (!wasFull)
            {
                _readsInARow = 0;
                if (_buffer is { Length: BufferPool.Small } && IsBusy(now) && (_keepsBuffer || (_keepsBuffer = _endpoint.TryKeepBuffer())))
                {
                    return false;
                }

                ReturnBuffer();
                return true;
            }

            // More than a device's few messages: the rest of it is there already.
            ReturnBuffer();
            _buffer = _endpoint.Buffers.Rent(BufferPool.Large);
            return false;
        }

        int held = _end - _start;
        if (_partialDeadline == 0)
        {
            _partialDeadline = now + GraceMilliseconds + ((long)_wanted * 1_000 / _endpoint.Options.MinBytesPerSecond);
        }

        Volatile.Write(ref _deadline, IsKnown ? _partialDeadline : Math.Min(_partialDeadline, _connectDeadline));
        if (_end < _buffer!.Length && _start + _wanted <= _buffer.Length)
        {
            return false;
        }

        if (_wanted <= _buffer.Length && (_start > 0 || _end < _buffer.Length) && _buffer.Length >= BufferPool.Large)
        {
            _buffer.AsSpan(_start, held).CopyTo(_buffer);
        }
        else
        {
            // Twice what has come and not what was announced: an announcement costs its sender nothing.
            byte[] larger = _endpoint.Buffers.Rent(Math.Max(BufferPool.Large, Math.Min(_wanted, held * 2)));
            _buffer.AsSpan(_start, held).CopyTo(larger);
            _endpoint.Buffers.Return(_buffer);
            _buffer = larger;
        }

        (_start, _end) = (0, held);
        return false;
    }

    /// <summary>Whether it sends several times a second: then waiting without a buffer, which needs one more call into the kernel for each message, is not worth the buffer.</summary>
    private bool IsBusy(long now)
    {
        if (now - _readsSince >= 1_000)
        {
            (_isBusy, _reads, _readsSince) = (_reads >= BusyReads, 0, now);
        }

        return _isBusy;
    }

    private void ReturnBuffer()
    {
        if (_keepsBuffer)
        {
            _keepsBuffer = false;
            _endpoint.GiveBackKept();
        }

        if (_buffer is { } buffer)
        {
            _buffer = null;
            _endpoint.Buffers.Return(buffer);
        }
    }
}
