using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text;
using IoT.Cep.Extensibility;
using Microsoft.AspNetCore.Http;

namespace IoT.Cep;

/// <summary>What a request holds: one message, the query of a small device, or lines.</summary>
internal sealed partial class HttpIngest
{
    /// <summary>The media type of a query, and of the bodies of forms.</summary>
    internal const string FormContentType = "application/x-www-form-urlencoded";

    /// <summary>The longest idempotency key: a UUID has 36 characters.</summary>
    private const int MaxKeyLength = 128;

    private const string KeyHeader = "Idempotency-Key";

    /// <summary>A topic that is not used any more makes room after an hour.</summary>
    private static readonly TimeSpan _topicRest = TimeSpan.FromHours(1);

    /// <summary>How soon a sender with too many messages under way may try again: acknowledging takes milliseconds.</summary>
    private static readonly TimeSpan _soon = TimeSpan.FromSeconds(1);

    private int StatusIfTaken => _options.Answer == HttpAnswer.Accepted ? StatusCodes.Status202Accepted : StatusCodes.Status204NoContent;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask TakeAsync(HttpContext context, HttpPeer.IdentityMemo who, string topic)
    {
        string? contentType = context.Request.ContentType;
        if (!IsTaken(contentType, _options.ContentTypes, whereEmpty: true))
        {
            throw new HttpRefusedException(StatusCodes.Status415UnsupportedMediaType, "This Content-Type is not taken here.");
        }

        if (!who.Budget.TryUseTopic(topic))
        {
            await Answers.TooManyAsync(context, _topicRest).ConfigureAwait(false);
            return;
        }

        if (!who.Budget.TryTakeMessage(out var wait))
        {
            await Answers.TooManyAsync(context, wait).ConfigureAwait(false);
            return;
        }

        try
        {
            if (Interlocked.Increment(ref _waiting) > _options.MaxWaiting)
            {
                await Answers.BusyAsync(context, "Too many requests wait for the engine.").ConfigureAwait(false);
                return;
            }

            bool isLines = IsTaken(contentType, _options.LineContentTypes, whereEmpty: false);
            if (context.Request.Headers.TryGetValue(KeyHeader, out var key))
            {
                await TakeOnceAsync(context, who, topic, key.ToString(), isLines).ConfigureAwait(false);
            }
            else
            {
                await TakeBodyAsync(context, who, topic, null, isLines).ConfigureAwait(false);
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    /// <summary>A request that says by a key that it may come again: the second one gets the first one's answer.</summary>
    private async Task TakeOnceAsync(HttpContext context, HttpPeer.IdentityMemo who, string topic, string key, bool isLines)
    {
        if (key.Length is 0 or > MaxKeyLength)
        {
            throw new HttpRefusedException(StatusCodes.Status400BadRequest, $"{KeyHeader} must have 1 to {MaxKeyLength} characters.");
        }

        var name = (who.Identity.Name, topic, key);
        if (_answers.Find(name, out bool isNew) is not { } answer)
        {
            await Answers.BusyAsync(context, "Too many idempotency keys wait for their answers.").ConfigureAwait(false);
            return;
        }

        if (!isNew)
        {
            _turnstile.CountDuplicate();
            await RepeatAsync(context, answer, isLines).ConfigureAwait(false);
            return;
        }

        bool isTaken = false;
        try
        {
            isTaken = await TakeBodyAsync(context, who, topic, answer, isLines).ConfigureAwait(false);
        }
        finally
        {
            if (!isTaken)
            {
                _answers.Free(name, answer);
            }
        }
    }

    private async Task RepeatAsync(HttpContext context, IdempotentAnswer answer, bool isLines)
    {
        Outcome? outcome;
        try
        {
            outcome = await answer.Outcome.WaitAsync(_options.AnswerTimeout, _server.Clock, context.RequestAborted).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            outcome = null;
        }

        if (outcome is null || answer.BrokenOff is not null)
        {
            await Answers.BusyAsync(context, "The first request of this key has no answer yet.").ConfigureAwait(false);
            return;
        }

        context.Response.Headers["Idempotency-Replayed"] = "true";
        await (isLines ? Answers.ReportAsync(context, outcome, _options.Answer == HttpAnswer.Accepted)
            : Answers.SingleAsync(context, outcome, StatusIfTaken)).ConfigureAwait(false);
    }

    private ValueTask<bool> TakeBodyAsync(HttpContext context, HttpPeer.IdentityMemo who, string topic, IdempotentAnswer? answer, bool isLines)
    {
        if (isLines)
        {
            return TakeLinesAsync(context, who, topic, answer);
        }

        return TakeOneAsync(context, who, topic, answer);
    }

    /// <returns>Whether its message was handed over: what is left is the engine's to acknowledge.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> TakeOneAsync(HttpContext context, HttpPeer.IdentityMemo who, string topic, IdempotentAnswer? answer)
    {
        int maxBytes = Math.Min(_options.MaxBytes, _server.Access.Limits.MaxPayloadBytes);
        var reader = BodyReader.Open(context, maxBytes, _server.Access.Limits.MaxDecompressionRatio);
        if (Begin(who, answer, 1) is not { } delivery)
        {
            await Answers.TooManyAsync(context, _soon).ConfigureAwait(false);
            await CloseAsync(context, reader).ConfigureAwait(false);
            return false;
        }

        bool isTaken = false;
        try
        {
            var body = await ReadAsync(reader, maxBytes).ConfigureAwait(false);
            isTaken = await HandOverAsync(context, who, topic, body, delivery).ConfigureAwait(false);
            reader.AdvanceTo(body.End);
            if (!isTaken)
            {
                await Answers.BusyAsync(context, "The engine holds back.").ConfigureAwait(false);
                return false;
            }

            if (delivery.Rejected > 0)
            {
                // A dead letter stays one: there is nothing to wait for.
                await Answers.SingleAsync(context, delivery.Outcome(), StatusIfTaken).ConfigureAwait(false);
            }
            else if (_options.Answer == HttpAnswer.Accepted || await UntilAcknowledgedAsync(delivery, 0).ConfigureAwait(false))
            {
                Answers.Status(context, StatusIfTaken);
            }
            else
            {
                await Answers.BusyAsync(context, "The engine has not acknowledged in time.").ConfigureAwait(false);
            }

            return true;
        }
        finally
        {
            if (!isTaken)
            {
                delivery.LeaveAnswer();
            }

            delivery.LetGo();
            await CloseAsync(context, reader).ConfigureAwait(false);
        }
    }

    private static ValueTask CloseAsync(HttpContext context, PipeReader reader) =>
        ReferenceEquals(reader, context.Request.BodyReader) ? ValueTask.CompletedTask : reader.CompleteAsync();

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<ReadOnlySequence<byte>> ReadAsync(PipeReader reader, int maxBytes)
    {
        while (true)
        {
            var result = await reader.ReadAsync().ConfigureAwait(false);
            var buffer = result.Buffer;
            if (buffer.Length > maxBytes)
            {
                reader.AdvanceTo(buffer.End);
                throw BodyReader.TooLarge(maxBytes);
            }

            if (result.IsCompleted)
            {
                return buffer;
            }

            reader.AdvanceTo(buffer.Start, buffer.End);
        }
    }

    private async ValueTask<bool> HandOverAsync(HttpContext context, HttpPeer.IdentityMemo who, string topic, ReadOnlySequence<byte> body, Delivery delivery)
    {
        byte[]? query = null;
        string? contentType = context.Request.ContentType;
        if (body.IsEmpty && context.Request.QueryString is { HasValue: true, Value: { } text })
        {
            // The fields of a device that can't do more than write a first line.
            query = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(text.Length));
            body = new ReadOnlySequence<byte>(query, 0, Encoding.UTF8.GetBytes(text.AsSpan(1), query));
            contentType = FormContentType;
        }

        try
        {
            while (!TryPass(context, who, topic, body, contentType, delivery, out var busy))
            {
                if (!await UntilTakenAsync(busy, context.RequestAborted).ConfigureAwait(false))
                {
                    return false;
                }
            }

            return true;
        }
        finally
        {
            if (query is not null)
            {
                ArrayPool<byte>.Shared.Return(query);
            }
        }
    }

    private bool TryPass(
        HttpContext context, HttpPeer.IdentityMemo who, string topic, ReadOnlySequence<byte> body, string? contentType, Delivery delivery, out Task? busy)
    {
        var payload = new Payload(body, topic)
        {
            Template = Template,
            ContentType = contentType,
            Headers = HeadersOf(context),
            Sender = SenderOf(who),
            MaxDepth = _server.Access.Limits.MaxDepth,
        };
        return _turnstile.TryPass(in payload, delivery, isLast: true, out busy);
    }

    private static string? SenderOf(HttpPeer.IdentityMemo who) => who.Identity.Method == AuthenticationMethod.None ? null : who.Identity.Name;

    /// <summary>Whether a media type, without its parameters, is in a list.</summary>
    private static bool IsTaken(string? contentType, IList<string> taken, bool whereEmpty)
    {
        if (taken.Count == 0)
        {
            return whereEmpty;
        }

        var type = contentType.AsSpan();
        int end = type.IndexOf(';');
        type = (end < 0 ? type : type[..end]).Trim();
        for (int i = 0; i < taken.Count; i++)
        {
            if (type.Equals(taken[i], StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }
}
