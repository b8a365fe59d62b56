using System.Buffers;
using IoT.Cep.Extensibility;
using Microsoft.Win32.SafeHandles;

namespace IoT.Cep;

/// <summary>
/// Follows a file as it grows, line by line. A line is taken when its end is there. When another file takes its name (rotation), what was left of the old one
/// is read first; when it gets shorter (truncation), reading begins anew.
/// </summary>
internal sealed class TailTransport : ITransport, IAcknowledger
{
    private const int ReadBytes = 64 * 1024;

    private readonly string _path;
    private readonly TailOptions _options;
    private readonly string _topic;
    private readonly Lock _gate = new();
    private FilePosition? _acknowledged;
    private FilePosition? _written;
    private FilePosition? _latest;
    private byte[] _buffer = new byte[ReadBytes];
    private int _length;
    private long _offset;
    private bool _isDiscarding;

    internal TailTransport(string path, TailOptions options)
    {
        (_path, _options) = (path, options);
        Name = "file " + SafeText.Escape(Path.GetFileName(path));
        _topic = options.Topic ?? Path.GetFileName(path);
    }

    public string Name { get; }

    public async Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(receiver);
        ArgumentNullException.ThrowIfNull(context);
        receiver.ConnectionChanged(true);
        var known = _options.PositionFile is { } file ? FilePosition.Read(file) : null;
        bool isFirst = true;
        try
        {
            while (!stop.IsCancellationRequested)
            {
                using var handle = TryOpen();
                if (handle is null)
                {
                    isFirst = false;
                    await PauseAsync(context, stop).ConfigureAwait(false);
                    continue;
                }

                _offset = known?.IsIn(handle) == true ? known.Offset
                    : isFirst && known is null && !_options.FromStart ? RandomAccess.GetLength(handle) : 0;
                (known, isFirst) = (null, false);
                await FollowAsync(handle, receiver, context, stop).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The usual end.
        }
        finally
        {
            WritePosition(context);
            receiver.ConnectionChanged(false, "It was stopped.");
        }
    }

    public void Acknowledge(object delivery)
    {
        lock (_gate)
        {
            _acknowledged = (FilePosition)delivery;
        }
    }

    /// <summary>Reads one file to its end, waits for more, and returns when another has taken its name or it was truncated.</summary>
    private async Task FollowAsync(SafeFileHandle file, IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        (_length, _isDiscarding, _latest) = (0, false, null);
        long writtenAt = context.TimeProvider.GetTimestamp();
        bool isLast = false;
        while (true)
        {
            stop.ThrowIfCancellationRequested();
            int read = await ReadAsync(file, receiver, stop).ConfigureAwait(false);
            if (context.TimeProvider.GetElapsedTime(writtenAt) >= _options.PositionInterval)
            {
                WritePosition(context);
                writtenAt = context.TimeProvider.GetTimestamp();
            }

            if (read > 0)
            {
                continue;
            }

            if (isLast)
            {
                await EndAsync(file, receiver).ConfigureAwait(false);
                return;
            }

            string? change = Change(file);
            if (change is null)
            {
                await PauseAsync(context, stop).ConfigureAwait(false);
                continue;
            }

            // Once more to the end: what was written between the last look and the change belongs to the old file.
            SocketLog.FileChanged(context.Logger, Name, change);
            isLast = true;
        }
    }

    private async ValueTask<int> ReadAsync(SafeFileHandle file, IPayloadReceiver receiver, CancellationToken stop)
    {
        if (_length == _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Min(_buffer.Length * 2, Math.Max(ReadBytes, _options.MaxLineBytes + 2)));
        }

        int read = await RandomAccess.ReadAsync(file, _buffer.AsMemory(_length), _offset + _length, stop).ConfigureAwait(false);
        int searched = _length;
        _length += read;
        int start = 0;
        while (true)
        {
            int end = _buffer.AsSpan(searched, _length - searched).IndexOf((byte)'\n');
            if (end < 0)
            {
                break;
            }

            end += searched;
            await DeliverAsync(file, receiver, start, end, end + 1).ConfigureAwait(false);
            searched = start = end + 1;
        }

        _buffer.AsSpan(start, _length - start).CopyTo(_buffer);
        _offset += start;
        _length -= start;
        if (_length > _options.MaxLineBytes + 1)
        {
            Discard(receiver);
        }

        return read;
    }

    private ValueTask DeliverAsync(SafeFileHandle file, IPayloadReceiver receiver, int start, int end, int next)
    {
        if (_isDiscarding)
        {
            _isDiscarding = false;
            return ValueTask.CompletedTask;
        }

        int length = end - start;
        length -= length > 0 && _buffer[end - 1] == '\r' ? 1 : 0;
        var payload = new Payload(new ReadOnlySequence<byte>(_buffer, start, length), _topic);
        if (length > _options.MaxLineBytes)
        {
            receiver.Reject(in payload, DeadLetterReason.TooLarge, $"The line is longer than the limit of {_options.MaxLineBytes} bytes.");
            return ValueTask.CompletedTask;
        }

        if (length == 0)
        {
            return ValueTask.CompletedTask;
        }

        return _options.PositionFile is null
            ? receiver.ReceiveAsync(in payload)
            : receiver.ReceiveAsync(in payload, this, _latest = FilePosition.Of(file, _offset + next, _latest));
    }

    private void Discard(IPayloadReceiver receiver)
    {
        if (!_isDiscarding)
        {
            var payload = new Payload(new ReadOnlySequence<byte>(_buffer, 0, _length), _topic);
            receiver.Reject(in payload, DeadLetterReason.TooLarge, $"The line is longer than the limit of {_options.MaxLineBytes} bytes.");
        }

        _isDiscarding = true;
        _offset += _length;
        _length = 0;
    }

    /// <summary>The last line of a file that nobody writes any more needs no end.</summary>
    private async ValueTask EndAsync(SafeFileHandle file, IPayloadReceiver receiver)
    {
        if (_length > 0 && RandomAccess.GetLength(file) >= _offset + _length)
        {
            await DeliverAsync(file, receiver, 0, _length, _length).ConfigureAwait(false);
        }

        _length = 0;
    }

    /// <summary>What happened to the file's name or its length; null: nothing.</summary>
    private string? Change(SafeFileHandle file)
    {
        if (RandomAccess.GetLength(file) < _offset + _length)
        {
            return "it was truncated; reading begins at its start.";
        }

        using var now = TryOpen();
        if (now is null)
        {
            // Renamed, and its follower is not there yet: the old one may still be written to.
            return null;
        }

        // Asked in this order, a file can't be longer than itself: so one is found out that was still empty when it lost its name.
        long length = RandomAccess.GetLength(now);
        bool isOther = RandomAccess.GetLength(file) < length || !FilePosition.Of(file, _offset + _length).IsIn(now);
        return isOther ? "another file has its name; reading goes on there." : null;
    }

    private SafeFileHandle? TryOpen()
    {
        try
        {
            return File.OpenHandle(_path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.Asynchronous | FileOptions.SequentialScan);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private async Task PauseAsync(ConnectionContext context, CancellationToken stop)
    {
        WritePosition(context);
        await Task.Delay(_options.PollInterval, context.TimeProvider, stop).ConfigureAwait(false);
    }

    private void WritePosition(ConnectionContext context)
    {
        FilePosition? next;
        lock (_gate)
        {
            next = _acknowledged;
        }

        if (next is null || next == _written || _options.PositionFile is not { } path)
        {
            return;
        }

        try
        {
            next.Write(path);
            _written = next;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            SocketLog.PositionNotKept(context.Logger, Name, SafeText.Escape(path), SafeText.Escape(error.Message));
        }
    }
}
