using IoT.Cep.Extensibility;
using Microsoft.AspNetCore.Http;

namespace IoT.Cep;

/// <summary>Bodies of lines, each a message of its own: read as the engine takes them, however long they are.</summary>
internal sealed partial class HttpIngest
{
    /// <summary>How many lines are paid for at once.</summary>
    private const int LinesAtOnce = 64;

    private const string JsonContentType = "application/json";

    /// <returns>Whether all lines were handed over.</returns>
    private async ValueTask<bool> TakeLinesAsync(HttpContext context, HttpPeer.IdentityMemo who, string topic, IdempotentAnswer? answer)
    {
        var limits = _server.Access.Limits;
        var reader = BodyReader.Open(context, _options.MaxStreamBytes, limits.MaxDecompressionRatio);
        var delivery = Begin(answer, _options.MaxReportedErrors);
        try
        {
            var lines = new LineReceiver(this, context, who, delivery, context.Request.ContentType);
            var options = new LineOptions(MaxLineBytes: Math.Min(_options.MaxBytes, limits.MaxPayloadBytes));
            await LineFraming.ReadAsync(reader, lines, topic, options, context.RequestAborted).ConfigureAwait(false);
            _turnstile.Flush();
            if (_options.Answer == HttpAnswer.Acknowledged && !await UntilAcknowledgedAsync(delivery, 0).ConfigureAwait(false))
            {
                await Answers.BusyAsync(context, "The engine has not acknowledged in time.").ConfigureAwait(false);
                return true;
            }

            await Answers.ReportAsync(context, delivery.Outcome(), _options.Answer == HttpAnswer.Accepted).ConfigureAwait(false);
            return true;
        }
        finally
        {
            delivery.LetGo();
            await CloseAsync(context, reader).ConfigureAwait(false);
        }
    }

    /// <summary>Completes each line to a message and hands it over when the sender's limits, the engine and what is not acknowledged yet allow it: until then nothing more is read.</summary>
    private sealed class LineReceiver(HttpIngest owner, HttpContext context, HttpPeer.IdentityMemo who, Delivery delivery, string? contentType) : IPayloadReceiver
    {
        private readonly PayloadHeaders _headers = owner.HeadersOf(context);
        private readonly string? _sender = SenderOf(who);
        private readonly string? _contentType = contentType is not null && contentType.Contains("json", StringComparison.OrdinalIgnoreCase) ? JsonContentType : contentType;
        private readonly int _window = owner._server.Access.Limits.MaxInFlight;

        // The request itself has paid for the first one.
        private int _paid = 1;

        public ValueTask ReceiveAsync(in Payload payload, IAcknowledger? acknowledger = null, object? given = null)
        {
            if (_paid > 0 && delivery.Unacknowledged < _window && owner._turnstile.TryPass(Complete(in payload), delivery, isLast: false, out _))
            {
                _paid--;
                return ValueTask.CompletedTask;
            }

            return new ValueTask(ReceiveLaterAsync(payload));
        }

        public void Reject(in Payload payload, DeadLetterReason reason, string detail)
        {
            if (!owner._turnstile.TryReject(Complete(in payload), reason, detail))
            {
                throw NotTaken("The engine has stopped.");
            }

            delivery.Reject(reason, detail);
        }

        public void CountDuplicate()
        {
        }

        public void ConnectionChanged(bool connected, string? detail = null)
        {
        }

        private Payload Complete(in Payload payload) => new(payload.Bytes, payload.Topic)
        {
            Template = owner.Template,
            ContentType = _contentType,
            Headers = _headers,
            Sender = _sender,
        };

        private async Task ReceiveLaterAsync(Payload payload)
        {
            while (_paid <= 0)
            {
                var wait = who.Account.Take(LinesAtOnce);
                if (wait == TimeSpan.Zero)
                {
                    _paid = LinesAtOnce;
                    break;
                }

                await Task.Delay(wait, owner._server.Clock, context.RequestAborted).ConfigureAwait(false);
            }

            if (delivery.Unacknowledged >= _window)
            {
                owner._turnstile.Flush();
            }

            if (delivery.Unacknowledged >= _window && !await owner.UntilAcknowledgedAsync(delivery, _window / 2).ConfigureAwait(false))
            {
                throw NotTaken("The engine has not acknowledged in time.");
            }

            while (!owner._turnstile.TryPass(Complete(in payload), delivery, isLast: false, out var busy))
            {
                if (!await owner.UntilTakenAsync(busy, context.RequestAborted).ConfigureAwait(false))
                {
                    throw NotTaken("The engine holds back.");
                }
            }

            _paid--;
        }

        /// <summary>What was taken before stays taken: the answer says how much that is.</summary>
        private LinesNotTakenException NotTaken(string why) => new($"{why} {delivery.Received} lines were taken.");
    }
}

/// <summary>The engine took the first lines of a body, and not the rest.</summary>
/// <param name="message">Why, and how many it took.</param>
internal sealed class LinesNotTakenException(string message) : Exception(message);
