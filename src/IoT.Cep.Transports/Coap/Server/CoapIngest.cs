using System.Buffers;
using System.Threading.Channels;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Takes what devices POST or PUT to the paths of a template, one message after the other, and answers when the engine says what became of it: 2.04 where its effect
/// is in place, 4.xx where it became a dead letter, 5.03 where the engine holds back.
/// </summary>
internal sealed class CoapIngest : ICoapResource, IAcknowledger
{
    private readonly TopicTemplate _template;
    private readonly CoapAccess _access;
    private readonly CoapListenerOptions _options;
    private readonly TimeProvider _time;
    private readonly Channel<Waiting> _waiting;
    private readonly CoapMessage _holdsBack;
    private volatile bool _isClosed;

    internal CoapIngest(TopicTemplate template, CoapServer server, TimeProvider time)
    {
        _template = template;
        _access = server.Access;
        _options = server.Options;
        _time = time;
        _waiting = Channel.CreateBounded<Waiting>(new BoundedChannelOptions(_options.MaxWaiting) { SingleReader = true });
        _holdsBack = new CoapMessage(CoapCode.ServiceUnavailable, new CoapOptionBuilder().Add(CoapOptionNumber.MaxAge, (uint)_options.RetryAfter.TotalSeconds).ToArray());
        Description = new CoapLinkDescription(template.ToString());
    }

    public CoapLinkDescription? Description { get; }

    public bool IsPattern => _template.Names.Count > 0;

    public bool Takes(string path) => _template.Filter.Matches(path);

    public async ValueTask<CoapMessage?> HandleAsync(CoapRequest request)
    {
        var message = request.Message;
        string path = message.Path;
        if (message.Code is not (CoapCode.Post or CoapCode.Put))
        {
            return CoapMessage.Error(CoapCode.MethodNotAllowed, "POST or PUT what you measured.");
        }

        var identity = await _access.IdentifyAsync(request).ConfigureAwait(false);
        if (await _access.RefuseAsync(identity, AccessAction.Publish, path).ConfigureAwait(false) is { } refused)
        {
            return refused;
        }

        if (!_access.Security.MaySpeakFor(identity!, _template, path))
        {
            return CoapMessage.Error(CoapCode.Forbidden, "Not your device.");
        }

        if (Problem(message) is { } problem)
        {
            return problem;
        }

        var budget = _access.Security.BudgetOf(identity!);
        return budget is null ? CoapAccess.TooMany("Too many senders.", _options.RetryAfter)
            : !budget.TryTakeMessage(out var wait) ? CoapAccess.TooMany("Too many messages.", wait)
            : !budget.TryUseTopic(path) ? CoapAccess.TooMany("Too many different paths.", TimeSpan.FromHours(1))
            : !budget.TryBeginMessage() ? CoapAccess.TooMany("Too many messages are not acknowledged yet.", _options.RetryAfter)
            : await EnqueueAsync(request, path, identity!, budget).ConfigureAwait(false);
    }

    private async ValueTask<CoapMessage?> EnqueueAsync(CoapRequest request, string path, Identity identity, PrincipalBudget budget)
    {
        try
        {
            string? sender = identity.Method == AuthenticationMethod.None ? null : identity.Name;
            var waiting = new Waiting(path, request.Message, sender, (_time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks);
            return !_isClosed && _waiting.Writer.TryWrite(waiting) ? await waiting.Answer.Task.ConfigureAwait(false) : _holdsBack;
        }
        finally
        {
            budget.EndMessage();
        }
    }

    /// <summary>Hands over what waits, until it is stopped. What waits then is told to come again.</summary>
    /// <param name="receiver">Takes the messages.</param>
    /// <param name="stop">Stops it.</param>
    internal async Task RunAsync(IPayloadReceiver receiver, CancellationToken stop)
    {
        try
        {
            while (true)
            {
                var next = await _waiting.Reader.ReadAsync(stop).ConfigureAwait(false);
                await HandOverAsync(receiver, next).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
        }
        finally
        {
            _isClosed = true;
            while (_waiting.Reader.TryRead(out var left))
            {
                left.Answer.TrySetResult(_holdsBack);
            }
        }
    }

    public void Acknowledge(object delivery) => ((Waiting)delivery).Answer.TrySetResult(CoapAnswers.Changed);

    public void Rejected(object delivery, DeadLetterReason reason, string detail) =>
        ((Waiting)delivery).Answer.TrySetResult(reason is DeadLetterReason.Overflow ? _holdsBack : CoapMessage.Error(CodeOf(reason), SafeText.Escape(detail)));

    private async ValueTask HandOverAsync(IPayloadReceiver receiver, Waiting next)
    {
        var payload = new Payload(new ReadOnlySequence<byte>(next.Message.Payload), next.Path, next.ReceivedTicks)
        {
            Template = _template,
            ContentType = next.Message.ContentFormat is var format and >= 0 ? CoapContentFormats.MediaType(format) : null,
            Headers = Queries(next.Message),
            Sender = next.Sender,
        };
        try
        {
            await receiver.ReceiveAsync(in payload, this, next).ConfigureAwait(false);
        }
        catch
        {
            next.Answer.TrySetResult(_holdsBack);
            throw;
        }
    }

    private CoapMessage? Problem(CoapMessage message)
    {
        if (message.Payload.Length > _access.Security.Limits.MaxPayloadBytes)
        {
            return new CoapMessage(CoapCode.RequestEntityTooLarge, new CoapOptionBuilder().Add(CoapOptionNumber.Size1, (uint)_access.Security.Limits.MaxPayloadBytes).ToArray());
        }

        // There is no representation that could match (RFC 7252, 5.10.8.1).
        return message.Has(CoapOptionNumber.IfMatch) ? CoapMessage.Error(CoapCode.PreconditionFailed)
            : message.ContentFormat >= 0 && CoapContentFormats.MediaType(message.ContentFormat) is null
                ? CoapMessage.Error(CoapCode.UnsupportedContentFormat, "This content format is unknown here.")
            : null;
    }

    private static CoapCode CodeOf(DeadLetterReason reason) => reason switch
    {
        DeadLetterReason.TooLarge => CoapCode.RequestEntityTooLarge,
        DeadLetterReason.UnknownTopic => CoapCode.NotFound,
        DeadLetterReason.MissingField or DeadLetterReason.WrongType or DeadLetterReason.OutOfRange or DeadLetterReason.DuplicateField
            or DeadLetterReason.FarFuture => CoapCode.UnprocessableEntity,
        _ => CoapCode.BadRequest,
    };

    private static PayloadHeaders Queries(CoapMessage message)
    {
        if (!message.Has(CoapOptionNumber.UriQuery))
        {
            return default;
        }

        List<KeyValuePair<string, string>> pairs = [];
        foreach (string query in message.Texts(CoapOptionNumber.UriQuery))
        {
            int equals = query.IndexOf('=', StringComparison.Ordinal);
            pairs.Add(equals < 0 ? new(query, "") : new(query[..equals], query[(equals + 1)..]));
        }

        return new PayloadHeaders(pairs);
    }

    private sealed class Waiting(string path, CoapMessage message, string? sender, long receivedTicks)
    {
        internal string Path => path;

        internal CoapMessage Message => message;

        internal string? Sender => sender;

        internal long ReceivedTicks => receivedTicks;

        // The engine acknowledges on its own thread: the answer is encoded and sent on another.
        internal TaskCompletionSource<CoapMessage?> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
