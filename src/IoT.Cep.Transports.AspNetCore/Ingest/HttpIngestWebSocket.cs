using System.Buffers;
using System.Net.WebSockets;
using System.Text.Json;
using IoT.Cep.Extensibility;
using Microsoft.AspNetCore.Http;

namespace IoT.Cep;

/// <summary>A WebSocket at the endpoint: each of its messages is a message. Read one after the other, as the engine takes them.</summary>
internal sealed partial class HttpIngest
{
    /// <summary>What a message's buffer begins with; it doubles up to the endpoint's limit.</summary>
    private const int FirstBufferBytes = 4096;

    private async Task TakeWebSocketAsync(HttpContext context, HttpPeer.IdentityMemo who, string topic)
    {
        if (!who.Budget.TryUseTopic(topic))
        {
            await Answers.TooManyAsync(context, _topicRest).ConfigureAwait(false);
            return;
        }

        if (await _server.Access.StayAsync(context, who).ConfigureAwait(false) is not { } admission)
        {
            return;
        }

        using (admission)
        {
            using var ended = Stopping.OrGone(context, admission);
            try
            {
                using var socket = await context.WebSockets.AcceptWebSocketAsync().ConfigureAwait(false);
                await new WebSocketReceiver(this, context, who, topic, socket).RunAsync(ended).ConfigureAwait(false);
            }
            catch (WebSocketException)
            {
                // The client has gone, or does not speak the protocol; what it sent whole was taken.
            }
            catch (OperationCanceledException) when (admission.HasEnded)
            {
                // At once, whatever the client still has to send or does not read.
                context.Abort();
            }
        }
    }

    /// <summary>One WebSocket, and the acknowledgements that its client asked for by <c>?ack=true</c>.</summary>
#pragma warning disable CA1001 // An acknowledgement may come when the socket has gone, and must not find the semaphores disposed; without a wait handle they hold nothing.
    private sealed class WebSocketReceiver(HttpIngest owner, HttpContext context, HttpPeer.IdentityMemo who, string topic, WebSocket socket) : IAcknowledger
#pragma warning restore CA1001
    {
        private readonly Lock _gate = new();
        private readonly SemaphoreSlim _news = new(0, 1);
        private readonly SemaphoreSlim _room = new(0, 1);
        private readonly List<ItemError> _rejected = [];
        private readonly bool _tells = context.Request.Query.TryGetValue("ack", out var ack) && ack == "true";
        private readonly int _window = owner._server.Access.Limits.MaxInFlight;
        private readonly PayloadHeaders _headers = owner.HeadersOf(context);
        private long _received;
        private long _acknowledged;
        private long _told;

        internal async Task RunAsync(CancellationTokenSource ended)
        {
            var telling = _tells ? TellAsync(ended.Token) : Task.CompletedTask;
            byte[] buffer = ArrayPool<byte>.Shared.Rent(FirstBufferBytes);
            try
            {
                var (status, why) = await ReceiveAsync(new Holder { Buffer = buffer }, ended.Token).ConfigureAwait(false);
                if (_tells && status == WebSocketCloseStatus.NormalClosure)
                {
                    await UntilAsync(0, ended.Token, isTold: true).ConfigureAwait(false);
                }

                await ended.CancelAsync().ConfigureAwait(false);
                await telling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                await CloseAsync(status, why).ConfigureAwait(false);
            }
            finally
            {
                await ended.CancelAsync().ConfigureAwait(false);
                await telling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        void IAcknowledger.Acknowledge(object delivery) => OnAcknowledged(1);

        void IAcknowledger.AcknowledgeAll(object delivery, int count) => OnAcknowledged(count);

        private void OnAcknowledged(int count)
        {
            who.Budget.EndMessages(count);
            lock (_gate)
            {
                _acknowledged += count;
                Signal(_room);
                if (_tells)
                {
                    Signal(_news);
                }
            }
        }

        void IAcknowledger.Rejected(object delivery, DeadLetterReason reason, string detail)
        {
            if (_tells)
            {
                lock (_gate)
                {
                    // Bounded by the window: no more are unread than messages are unacknowledged, and reading waits for both.
                    _rejected.Add(new ItemError(_received - 1, reason, detail));
                    Signal(_news);
                }
            }
        }

        private static void Signal(SemaphoreSlim semaphore)
        {
            if (semaphore.CurrentCount == 0)
            {
                semaphore.Release();
            }
        }

        private async Task<(WebSocketCloseStatus Status, string Why)> ReceiveAsync(Holder holder, CancellationToken stop)
        {
            try
            {
                while (true)
                {
                    var (length, type) = await ReadAsync(holder, stop).ConfigureAwait(false);
                    if (type == WebSocketMessageType.Close)
                    {
                        return (WebSocketCloseStatus.NormalClosure, "");
                    }

                    if (length < 0)
                    {
                        return (WebSocketCloseStatus.MessageTooBig, "The message is longer than the limit.");
                    }

                    if (await PassAsync(new ReadOnlySequence<byte>(holder.Buffer, 0, length), stop).ConfigureAwait(false) is { } refusal)
                    {
                        return (WebSocketCloseStatus.InternalServerError, refusal);
                    }
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(holder.Buffer);
            }
        }

        private async ValueTask<(int Length, WebSocketMessageType Type)> ReadAsync(Holder holder, CancellationToken stop)
        {
            int most = Math.Min(owner._options.MaxBytes, owner._server.Access.Limits.MaxPayloadBytes);
            int length = 0;
            while (true)
            {
                if (length == holder.Buffer.Length)
                {
                    byte[] larger = ArrayPool<byte>.Shared.Rent(length * 2);
                    holder.Buffer.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(holder.Buffer);
                    holder.Buffer = larger;
                }

                var receiving = socket.ReceiveAsync(holder.Buffer.AsMemory(length), stop);
                if (!receiving.IsCompleted)
                {
                    // No more is at hand: what was taken does not wait for company.
                    owner._turnstile.Flush();
                }

                var part = await receiving.ConfigureAwait(false);
                length += part.Count;
                if (length > most)
                {
                    return (-1, part.MessageType);
                }

                if (part.EndOfMessage || part.MessageType == WebSocketMessageType.Close)
                {
                    return (length, part.MessageType);
                }
            }
        }

        /// <returns>Why it was not taken; null where it was.</returns>
        private async ValueTask<string?> PassAsync(ReadOnlySequence<byte> message, CancellationToken stop)
        {
            while (!who.Budget.TryTakeMessage(out var wait))
            {
                await Task.Delay(wait, owner._server.Clock, stop).ConfigureAwait(false);
            }

            await UntilAsync(_window - 1, stop).ConfigureAwait(false);
            while (!who.Budget.TryBeginMessage())
            {
                // Over all connections of this sender; what it has under way is to be acknowledged soon.
                owner._turnstile.Flush();
                await Task.Delay(_nextLook, owner._server.Clock, stop).ConfigureAwait(false);
            }

            lock (_gate)
            {
                _received++;
            }

            var payload = new Payload(message, topic) { Template = owner.Template, Headers = _headers, Sender = SenderOf(who), MaxDepth = owner._server.Access.Limits.MaxDepth };
            bool isPassed = false;
            try
            {
                while (!(isPassed = owner._turnstile.TryPass(in payload, this, isLast: false, out var busy)))
                {
                    if (!await owner.UntilTakenAsync(busy, stop).ConfigureAwait(false))
                    {
                        return "The engine holds back.";
                    }
                }

                return null;
            }
            finally
            {
                if (!isPassed)
                {
                    who.Budget.EndMessage();
                }
            }
        }

        /// <summary>Waits until no more than so many messages are unacknowledged, and no more rejections than that are untold.</summary>
        private async ValueTask UntilAsync(int most, CancellationToken stop, bool isTold = false)
        {
            if (Volatile.Read(ref _received) - Volatile.Read(ref _acknowledged) > most)
            {
                owner._turnstile.Flush();
            }

            while (true)
            {
                lock (_gate)
                {
                    if (_received - (isTold ? _told : _acknowledged) <= most && _rejected.Count <= most)
                    {
                        return;
                    }
                }

                await _room.WaitAsync(stop).ConfigureAwait(false);
            }
        }

        /// <summary>Tells what became of messages: <c>{"acknowledged":17}</c> for the first 17, <c>{"rejected":{...}}</c> for one.</summary>
        private async Task TellAsync(CancellationToken stop)
        {
            var text = new ArrayBufferWriter<byte>();
            while (true)
            {
                await _news.WaitAsync(stop).ConfigureAwait(false);
                ItemError[] rejected;
                long acknowledged;
                lock (_gate)
                {
                    (rejected, acknowledged) = ([.. _rejected], _acknowledged);
                    _rejected.Clear();
                    Signal(_room);
                }

                foreach (var error in rejected)
                {
                    await SendAsync(text, json => Answers.Write(json, error), "rejected", stop).ConfigureAwait(false);
                }

                if (acknowledged > _told)
                {
                    await SendAsync(text, json => json.WriteNumberValue(acknowledged), "acknowledged", stop).ConfigureAwait(false);
                    lock (_gate)
                    {
                        _told = acknowledged;
                        Signal(_room);
                    }
                }
            }
        }

        private ValueTask SendAsync(ArrayBufferWriter<byte> text, Action<Utf8JsonWriter> value, string name, CancellationToken stop)
        {
            text.ResetWrittenCount();
            using (var json = new Utf8JsonWriter(text))
            {
                json.WriteStartObject();
                json.WritePropertyName(name);
                value(json);
                json.WriteEndObject();
            }

            return socket.SendAsync(text.WrittenMemory, WebSocketMessageType.Text, endOfMessage: true, stop);
        }

        private async Task CloseAsync(WebSocketCloseStatus status, string why)
        {
            if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
            {
                using var limit = new CancellationTokenSource(owner._options.AnswerTimeout, owner._server.Clock);
                await socket.CloseOutputAsync(status, why, limit.Token).ConfigureAwait(false);
            }
        }

        private sealed class Holder
        {
            internal required byte[] Buffer { get; set; }
        }
    }
}
