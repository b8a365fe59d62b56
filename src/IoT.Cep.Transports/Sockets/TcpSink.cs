using System.Buffers;
using System.Net.Sockets;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Writes results as lines or frames. A batch is checked and encoded whole before its first byte leaves. TCP tells nobody what the peer has processed, so the
/// sink is not durable: what was on its way when a connection was lost may be gone, or may come twice.
/// </summary>
internal sealed class TcpSink<T>(StreamFraming framing, string host, int port, Action<T, IBufferWriter<byte>> encode, TcpConnectOptions options) : IAsyncSink<T>
{
    private readonly ArrayBufferWriter<byte> _bytes = new();
    private readonly ArrayBufferWriter<byte> _message = new();
    private readonly SemaphoreSlim _gate = new(1, 1);
    private Stream? _stream;
    private TimeProvider _clock = TimeProvider.System;

    public string Name { get; } = $"tcp {framing.Name} {SafeText.Escape(host)}:{port}";

    public bool IsDurable => false;

    public bool UsesIdentity => false;

    public async ValueTask OpenAsync(SinkContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(context);
        _clock = context.TimeProvider;
        await _gate.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            await ConnectAsync(stop).ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    public async ValueTask WriteAsync(SinkBatch<T> batch, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(batch);
        await _gate.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            Encode(batch);
            if (_stream is null || IsClosed(_stream))
            {
                await ConnectAsync(stop).ConfigureAwait(false);
            }

            await _stream!.WriteAsync(_bytes.WrittenMemory, stop).ConfigureAwait(false);
            await _stream.FlushAsync(stop).ConfigureAwait(false);
        }
        catch (Exception error) when (TcpDial.IsTransient(error))
        {
            // Half a message may have left; only a new connection begins at the start of one.
            await CloseAsync().ConfigureAwait(false);
            throw;
        }
        finally
        {
            _gate.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _gate.WaitAsync().ConfigureAwait(false);
        try
        {
            await CloseAsync().ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    // Bytes written to a connection that the peer has closed would vanish without an error: it is asked before. A peer that answers is not listened to.
    private static bool IsClosed(Stream stream)
    {
        var socket = (stream as NetworkStream)?.Socket;
        return socket is not null && (!socket.Connected || (socket.Poll(TimeSpan.Zero, SelectMode.SelectRead) && socket.Available == 0));
    }

    private async Task ConnectAsync(CancellationToken stop)
    {
        await CloseAsync().ConfigureAwait(false);
        _stream = await TcpDial.ConnectAsync(host, port, options, _clock, stop).ConfigureAwait(false);
    }

    private async Task CloseAsync()
    {
        if (_stream is { } stream)
        {
            _stream = null;
            await stream.DisposeAsync().ConfigureAwait(false);
        }
    }

    private void Encode(SinkBatch<T> batch)
    {
        var results = batch.Events.Span;
        var kinds = batch.Kinds.Span;
        _bytes.ResetWrittenCount();
        for (int row = 0; row < results.Length; row++)
        {
            // What was sent can't be unsaid.
            if (!kinds.IsEmpty && kinds[row] == EventKind.Retract)
            {
                continue;
            }

            _message.ResetWrittenCount();
            SinkRows.Encode(results[row], row, encode, _message);
            string? problem = _message.WrittenCount > options.MaxMessageBytes
                ? $"The message has {_message.WrittenCount:N0} bytes; MaxMessageBytes allows {options.MaxMessageBytes:N0}."
                : framing.Write(_message.WrittenSpan, _bytes);
            if (problem is not null)
            {
                throw new SinkRejectedException(row, problem);
            }
        }
    }
}

/// <summary>What sinks that send messages do with each row.</summary>
internal static class SinkRows
{
    /// <summary>Calls the user's function; what it throws is the row's fault.</summary>
    internal static void Encode<T>(T result, int row, Action<T, IBufferWriter<byte>> encode, IBufferWriter<byte> output)
    {
        try
        {
            encode(result, output);
        }
        catch (Exception error) when (error is not (OperationCanceledException or OutOfMemoryException))
        {
            throw new SinkRejectedException(row, $"The function that writes the message failed: {SafeText.Escape(error.Message)}", error);
        }
    }
}
