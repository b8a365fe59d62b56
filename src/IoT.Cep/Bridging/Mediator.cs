using System.Globalization;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Takes a request of one protocol, asks another one, and gives the answer back: an HTTP call becomes an MQTT command, and its reply the response. Listeners give it what they are asked
/// (<c>http.Mediate(...)</c>, <c>mqttRequests.MediateAsync(...)</c>); anything else may by <see cref="AskAsync"/>.
/// </summary>
/// <remarks>Thread-safe. It keeps no request longer than its time limit, and no more of them than it may.</remarks>
public sealed class Mediator
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _pendingOf = new(StringComparer.Ordinal);
    private readonly Func<MediatedRequest, string?> _route;
    private readonly IRequests _requests;
    private readonly MediatorOptions _options;
    private int _pending;
    private long _answered, _refused, _notTaken, _notRouted, _timedOut, _notSent, _tooMany, _givenUp;

    /// <summary>Makes one that fills a topic's places.</summary>
    /// <param name="template">The topics or paths that it takes: <c>devices/{device}/cmd</c>.</param>
    /// <param name="to">Where a request goes, with places of the template: <c>devices/{device}/commands</c>.</param>
    /// <param name="requests">Who is asked; it stays the caller's.</param>
    /// <param name="configure">Sets the options.</param>
    /// <exception cref="ArgumentException">A template is not valid; the message says why.</exception>
    public Mediator(string template, string to, IRequests requests, Action<MediatorOptions>? configure = null)
        : this(template, RouteOf(template, to), requests, configure)
    {
    }

    /// <summary>Makes one that asks a function where a request goes.</summary>
    /// <param name="template">The topics or paths that it takes: <c>devices/{device}/cmd</c>.</param>
    /// <param name="route">Where a request goes: the topic of the gateway that the device is behind. Null: it knows no such device.</param>
    /// <param name="requests">Who is asked; it stays the caller's.</param>
    /// <param name="configure">Sets the options.</param>
    /// <exception cref="ArgumentException">The template is not valid; the message says why.</exception>
    public Mediator(string template, Func<MediatedRequest, string?> route, IRequests requests, Action<MediatorOptions>? configure = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(template);
        ArgumentNullException.ThrowIfNull(route);
        ArgumentNullException.ThrowIfNull(requests);
        Template = TopicTemplate.TryParse(template, out var parsed, out string? error) ? parsed : throw new ArgumentException(error, nameof(template));
        (_route, _requests, _options) = (route, requests, new MediatorOptions());
        configure?.Invoke(_options);
        _options.Validate();
    }

    /// <summary>The topics or paths that it takes.</summary>
    public TopicTemplate Template { get; }

    /// <summary>What it has counted.</summary>
    public MediatorStatistics Statistics
    {
        get
        {
            lock (_gate)
            {
                return new MediatorStatistics(_answered, _refused, _notTaken, _notRouted, _timedOut, _notSent, _tooMany, _givenUp, _pending);
            }
        }
    }

    /// <summary>Asks the other side.</summary>
    /// <param name="request">The request. Its topic is the path that it came to.</param>
    /// <param name="timeout">How long the caller waits, where that is less than <see cref="MediatorOptions.Timeout"/>.</param>
    /// <param name="stop">The caller has gone.</param>
    /// <returns>The answer, or what stands in its place: whatever goes wrong on the other side is an answer too.</returns>
    /// <exception cref="OperationCanceledException">The caller has gone.</exception>
    public async ValueTask<MediatedAnswer> AskAsync(Message request, TimeSpan? timeout = null, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var refusal = Prepare(request, out var prepared);
        if (refusal is not null || (refusal = Enter(prepared!.Topic)) is not null)
        {
            return refusal;
        }

        try
        {
            var limit = timeout is { } shorter && shorter < _options.Timeout ? shorter : _options.Timeout;
            var answer = await _requests.RequestAsync(prepared, limit, stop).ConfigureAwait(false);
            return Finish(answer);
        }
        catch (TimeoutException)
        {
            return Count(ref _timedOut, new MediatedAnswer(504, null, "No answer came in time; whether the request was carried out is not known."));
        }
        catch (RequestRefusedException refused)
        {
            return Count(ref _refused, new MediatedAnswer(StatusOf(refused.Status), refused.Answer is { } said ? Carry(said, _options.AnswerHeaders) : null, refused.Message));
        }
        catch (IOException)
        {
            return Count(ref _notSent, new MediatedAnswer(503, null, "The request could not be sent, and was not carried out.", _options.RetryAfter));
        }
        catch (ArgumentException)
        {
            // What one protocol takes for a topic another may not: the caller's text, so the caller's mistake.
            return Count(ref _notTaken, new MediatedAnswer(400, null, "The request can't be put to the other side in these words."));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Count(ref _givenUp, null!);
            throw;
        }
        catch (OperationCanceledException)
        {
            return Count(ref _notSent, new MediatedAnswer(503, null, "The connection to the other side was closed.", _options.RetryAfter));
        }
        finally
        {
            Leave(prepared.Topic);
        }
    }

    /// <summary>Filters, routes and changes a request.</summary>
    /// <returns>Why it is refused; null where it is not.</returns>
    private MediatedAnswer? Prepare(Message request, out Message? prepared)
    {
        prepared = null;
        if (request.Body.Length > _options.MaxBytes)
        {
            return Count(ref _notTaken, new MediatedAnswer(413, null, $"The request is longer than the limit of {_options.MaxBytes} bytes."));
        }

        Span<Range> places = stackalloc Range[TopicTemplate.MaxPlaces];
        if (!Template.TryMatch(request.Topic, places))
        {
            return Count(ref _notRouted, new MediatedAnswer(404, null, "There is nothing here."));
        }

        try
        {
            if (_options.Where is { } passes && !passes(request))
            {
                return Count(ref _notTaken, new MediatedAnswer(400, null, "Such a request is not taken here."));
            }

            if (_route(new MediatedRequest(request, Template)) is not { } topic)
            {
                return Count(ref _notRouted, new MediatedAnswer(404, null, "There is no such device."));
            }

            prepared = Carry(request, _options.Headers) with { Topic = topic };
            prepared = _options.Transform is { } transform ? transform(prepared) : prepared;
        }
        catch (Exception e) when (e is not (OutOfMemoryException or OperationCanceledException))
        {
            // A user's function that fails at what came: its words are not the caller's to read.
            prepared = null;
        }

        return prepared is null || !CanBeTopic(prepared.Topic)
            ? Count(ref _notTaken, new MediatedAnswer(400, null, prepared is null ? "The request could not be read." : "What was asked for can't be the name of a device."))
            : null;
    }

    private MediatedAnswer Finish(Message answer)
    {
        try
        {
            var carried = Carry(answer, _options.AnswerHeaders);
            carried = _options.TransformAnswer is { } transform ? transform(carried) : carried;
            return Count(ref _answered, new MediatedAnswer(carried.Body.IsEmpty ? 204 : 200, carried));
        }
        catch (Exception e) when (e is not (OutOfMemoryException or OperationCanceledException))
        {
            return Count(ref _refused, new MediatedAnswer(502, null, "The answer could not be read."));
        }
    }

    private MediatedAnswer? Enter(string target)
    {
        lock (_gate)
        {
            int ofTarget = _pendingOf.GetValueOrDefault(target);
            if (_pending >= _options.MaxPending || ofTarget >= _options.MaxPendingPerTarget)
            {
                _tooMany++;
                return ofTarget >= _options.MaxPendingPerTarget ? new MediatedAnswer(429, null, "Too many requests wait for this device.", _options.RetryAfter)
                    : new MediatedAnswer(503, null, "Too many requests wait for their answers.", _options.RetryAfter);
            }

            (_pending, _pendingOf[target]) = (_pending + 1, ofTarget + 1);
            return null;
        }
    }

    private void Leave(string target)
    {
        lock (_gate)
        {
            _pending--;
            int left = _pendingOf[target] - 1;
            if (left == 0)
            {
                _pendingOf.Remove(target);
            }
            else
            {
                _pendingOf[target] = left;
            }
        }
    }

    private MediatedAnswer Count(ref long counter, MediatedAnswer answer)
    {
        lock (_gate)
        {
            counter++;
        }

        return answer;
    }

    private static Func<MediatedRequest, string?> RouteOf(string template, string to)
    {
        ArgumentException.ThrowIfNullOrEmpty(template);
        var map = new TopicMap(template, to);
        return request => map.Map(request.Message.Topic);
    }

    private static Message Carry(Message message, IList<string> names) =>
        message.Headers.Count == 0 ? message
        : message with { Headers = names.Count == 0 ? [] : [.. message.Headers.Where(h => names.Contains(h.Key, StringComparer.OrdinalIgnoreCase))] };

    /// <summary>
    /// What a caller wrote has become a topic, and may become a path: it must neither ask for many nor climb out of where it was put.
    /// </summary>
    private static bool CanBeTopic(string topic)
    {
        if (topic.Length == 0 || topic.AsSpan().ContainsAny('+', '#', '\\') || topic.Any(char.IsControl))
        {
            return false;
        }

        foreach (var range in topic.AsSpan().Split('/'))
        {
            var level = topic.AsSpan(range);
            if (level is "." or "..")
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// The other side's status as one's own: its refusals are the caller's to know; its failures, and that it does not know this program, are those of a gateway (RFC 9110, 15.6.3).
    /// </summary>
    private static int StatusOf(string status)
    {
        string digits = status.Length == 4 && status[1] == '.' ? status.Remove(1, 1) : status;
        return int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number is (>= 400 and < 500 and not (401 or 407)) or 503 or 504 ? number : 502;
    }
}
