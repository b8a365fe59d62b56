using System.Buffers;
using System.IO.Pipelines;
using IoT.Cep.Extensibility;
using Microsoft.AspNetCore.Http;

namespace IoT.Cep;

/// <summary>Bodies of lines, each a message of its own: read as the engine takes them, however long they are.</summary>
internal sealed partial class HttpIngest
{
    /// <summary>How many lines are paid for at once.</summary>
    private const int LinesAtOnce = 64;

    private const string JsonContentType = "application/json";

    /// <summary>How soon a body looks again whether its sender's messages of other connections have been acknowledged.</summary>
    private static readonly TimeSpan _nextLook = TimeSpan.FromMilliseconds(20);

    /// <returns>Whether all lines were handed over.</returns>
    private async ValueTask<bool> TakeLinesAsync(HttpContext context, HttpPeer.IdentityMemo who, string topic, IdempotentAnswer? answer)
    {
        if (await _server.Access.StayAsync(context, who).ConfigureAwait(false) is not { } admission)
        {
            return false;
        }

        using (admission)
        {
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, admission.Ended);
            var reader = BodyReader.Open(context, _options.MaxStreamBytes, _server.Access.Limits.MaxDecompressionRatio);
            var delivery = Begin(who, answer, _options.MaxReportedErrors);
            bool isWhole = false;
            try
            {
                if (delivery is null)
                {
                    await Answers.TooManyAsync(context, _soon).ConfigureAwait(false);
                    return false;
                }

                var before = answer?.Before?.BrokenOff;
                if (before is not null)
                {
                    delivery.GoOnBehind(before);
                }

                var lines = new Lines(this, context, who, topic, delivery);
                await lines.ReadAsync(reader, before?.Received ?? 0, ended.Token).ConfigureAwait(false);
                isWhole = true;
                _turnstile.Flush();
                bool isAwaited = _options.Answer == HttpAnswer.Acknowledged;
                if (isAwaited && (!await UntilAcknowledgedAsync(delivery, 0).ConfigureAwait(false) || !await IsDoneAsync(answer?.Before, context.RequestAborted).ConfigureAwait(false)))
                {
                    await Answers.BusyAsync(context, "The engine has not acknowledged in time.").ConfigureAwait(false);
                    return true;
                }

                await Answers.ReportAsync(context, delivery.Outcome(), _options.Answer == HttpAnswer.Accepted).ConfigureAwait(false);
                return true;
            }
            catch (OperationCanceledException) when (admission.HasEnded)
            {
                throw new HttpRefusedException(StatusCodes.Status401Unauthorized, $"The right to send has ended. {delivery!.Received} lines were taken.");
            }
            finally
            {
                if (delivery is not null)
                {
                    if (answer is not null && !isWhole)
                    {
                        answer.BrokenOff = delivery.Outcome();
                    }

                    delivery.LetGo();
                }

                await CloseAsync(context, reader).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Whether what an earlier request of the same key had brought is acknowledged too: its own lines may be the last ones.</summary>
    private async ValueTask<bool> IsDoneAsync(IdempotentAnswer? before, CancellationToken stop)
    {
        for (; before is not null; before = before.Before)
        {
            try
            {
                await before.Outcome.WaitAsync(_options.AnswerTimeout, _server.Clock, stop).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// Completes each line to a message and hands it over when the sender's limits, the engine and what is not acknowledged yet allow it: until then nothing more is read. Lines that are at hand together
    /// go together, since finding out whether they may costs as much as decoding one.
    /// </summary>
    private sealed class Lines(HttpIngest owner, HttpContext context, HttpPeer.IdentityMemo who, string topic, Delivery delivery) : IMessages
    {
        private readonly PayloadHeaders _headers = owner.HeadersOf(context);
        private readonly string? _sender = SenderOf(who);
        private readonly string? _contentType = ContentTypeOf(context.Request.ContentType);
        private readonly int _window = owner._server.Access.Limits.MaxInFlight;
        private readonly int _maxBytes = Math.Min(owner._options.MaxBytes, owner._server.Access.Limits.MaxPayloadBytes);
        private readonly LineCutter _cutter = new(new LineOptions(MaxLineBytes: Math.Min(owner._options.MaxBytes, owner._server.Access.Limits.MaxPayloadBytes)));
        private ReadOnlySequence<byte> _buffer;

        // The next line, which may have to wait.
        private ReadOnlySequence<byte> _line;
        private LineCut _cut;
        private long _taken;
        private bool _isLast;
        private bool _isDry;

        // The request itself has paid for the first one.
        private int _paid = 1;

        private bool MayPass => _paid > 0 && delivery.HasRoom && delivery.Unacknowledged < _window;

        /// <summary>Takes all lines but those that were taken before.</summary>
        internal async ValueTask ReadAsync(PipeReader reader, long taken, CancellationToken stop)
        {
            _taken = taken;
            try
            {
                while (!_isLast)
                {
                    var reading = reader.ReadAsync(stop);
                    if (!reading.IsCompleted)
                    {
                        // Others of the same sender may need what this one does not now.
                        delivery.GiveBack();
                    }

                    var read = await reading.ConfigureAwait(false);
                    (_buffer, _isLast, _isDry) = (read.Buffer, read.IsCompleted, false);
                    while (!_isDry)
                    {
                        await PassAsync(stop).ConfigureAwait(false);
                    }

                    reader.AdvanceTo(_buffer.Start, _buffer.End);
                    _buffer = default;
                }
            }
            finally
            {
                if (_paid > 0)
                {
                    who.Budget.ReturnMessages(_paid);
                }
            }
        }

        public bool TryTake(out Payload payload, out string? problem)
        {
            (payload, problem) = (default, null);
            if (_cut == LineCut.None)
            {
                while ((_cut = _cutter.Take(ref _buffer, _isLast, out _line)) != LineCut.None && _taken > 0)
                {
                    _taken--;
                }
            }

            // Only for a line that is there is anything asked: a sender must not wait because it could not send another one.
            _isDry = _cut == LineCut.None;
            if (_isDry || !MayPass)
            {
                return false;
            }

            _paid--;
            problem = _cut == LineCut.TooLong ? $"The line is longer than the limit of {_maxBytes} bytes." : null;
            payload = new Payload(_line, topic) { Template = owner.Template, ContentType = _contentType, Headers = _headers, Sender = _sender, MaxDepth = owner._server.Access.Limits.MaxDepth };
            _cut = LineCut.None;
            return true;
        }

        private static string? ContentTypeOf(string? contentType) =>
            contentType is not null && contentType.Contains("json", StringComparison.OrdinalIgnoreCase) ? JsonContentType : contentType;

        private async ValueTask PassAsync(CancellationToken stop)
        {
            if (_cut != LineCut.None && !MayPass)
            {
                await UntilItMayAsync(stop).ConfigureAwait(false);
            }

            if (!owner._turnstile.TryPassAll(this, delivery, out var busy) && !await owner.UntilTakenAsync(busy, stop).ConfigureAwait(false))
            {
                throw NotTaken("The engine holds back.");
            }
        }

        private async ValueTask UntilItMayAsync(CancellationToken stop)
        {
            while (_paid == 0 && (_paid = who.Budget.TakeMessages(LinesAtOnce, out var wait)) == 0)
            {
                await Task.Delay(wait, owner._server.Clock, stop).ConfigureAwait(false);
            }

            if (delivery.Unacknowledged >= _window)
            {
                await UntilAcknowledgedAsync(_window / 2).ConfigureAwait(false);
            }

            long began = owner._server.Clock.GetTimestamp();
            while (!delivery.HasRoom && !delivery.TryReserve(LinesAtOnce))
            {
                if (delivery.Unacknowledged > 0)
                {
                    await UntilAcknowledgedAsync(delivery.Unacknowledged / 2).ConfigureAwait(false);
                    continue;
                }

                // All that the sender may have under way is of other connections.
                if (owner._server.Clock.GetElapsedTime(began) > owner._options.AnswerTimeout)
                {
                    throw NotTaken("The sender has too many messages under way.");
                }

                await Task.Delay(_nextLook, owner._server.Clock, stop).ConfigureAwait(false);
            }
        }

        private async ValueTask UntilAcknowledgedAsync(long most)
        {
            owner._turnstile.Flush();
            if (!await owner.UntilAcknowledgedAsync(delivery, most).ConfigureAwait(false))
            {
                throw NotTaken("The engine has not acknowledged in time.");
            }
        }

        /// <summary>What was taken before stays taken: the answer says how much that is.</summary>
        private LinesNotTakenException NotTaken(string why) => new($"{why} {delivery.Received} lines were taken.");
    }
}

/// <summary>The engine took the first lines of a body, and not the rest.</summary>
/// <param name="message">Why, and how many it took.</param>
internal sealed class LinesNotTakenException(string message) : Exception(message);
