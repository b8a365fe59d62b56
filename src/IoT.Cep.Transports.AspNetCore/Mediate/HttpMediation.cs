using System.Buffers;
using System.Globalization;
using System.Net.Http.Headers;
using IoT.Cep.Extensibility;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace IoT.Cep;

/// <summary>One endpoint whose requests another protocol answers.</summary>
internal sealed class HttpMediation(HttpServer server, Mediator mediator, MediatorOptions options)
{
    private readonly int _levels = mediator.Template.ToString().Count(static c => c == '/') + 1;

    internal TopicTemplate Template => mediator.Template;

    /// <summary>POST: asks, and answers what the other side has said.</summary>
    internal async Task HandleAsync(HttpContext context)
    {
        try
        {
            await MediateAsync(context).ConfigureAwait(false);
        }
        catch (HttpRefusedException refused)
        {
            await Answers.ProblemAsync(context, refused.Status, null, refused.Message).ConfigureAwait(false);
        }
        catch (BadHttpRequestException bad)
        {
            await Answers.ProblemAsync(context, bad.StatusCode, null, bad.Message).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException || (e is OperationCanceledException && context.RequestAborted.IsCancellationRequested))
        {
            // The caller has gone: nobody to answer.
        }
    }

    private async Task MediateAsync(HttpContext context)
    {
        if (TopicOf(context) is not { } topic)
        {
            Answers.Status(context, StatusCodes.Status404NotFound);
            return;
        }

        var peer = HttpPeer.Of(context, server);
        if (await server.Access.EnterAsync(context, peer, AccessAction.Command, Template, topic).ConfigureAwait(false) is not { } who)
        {
            return;
        }

        if (!who.Budget.TryTakeMessage(out var wait) || !who.Budget.TryBeginMessage())
        {
            await Answers.TooManyAsync(context, wait).ConfigureAwait(false);
            return;
        }

        try
        {
            byte[] body = await ReadAsync(context).ConfigureAwait(false);
            var answer = await mediator.AskAsync(RequestOf(context, who, topic, body), PreferredWait(context), context.RequestAborted).ConfigureAwait(false);
            await AnswerAsync(context, answer).ConfigureAwait(false);
        }
        finally
        {
            who.Budget.EndMessage();
        }
    }

    private Message RequestOf(HttpContext context, HttpPeer.IdentityMemo who, string topic, byte[] body)
    {
        var headers = new List<KeyValuePair<string, string>>();
        foreach (string name in options.Headers)
        {
            if (context.Request.Headers.TryGetValue(name, out var values))
            {
                headers.Add(new KeyValuePair<string, string>(name, values.ToString()));
            }
        }

        return new Message(topic, body)
        {
            ContentType = context.Request.ContentType,
            Headers = headers,
            Received = server.Clock.GetUtcNow(),
            Sender = who.Identity.Method == AuthenticationMethod.None ? null : who.Identity.Name,
        };
    }

    private async Task<byte[]> ReadAsync(HttpContext context)
    {
        int maxBytes = Math.Min(options.MaxBytes, server.Access.Limits.MaxPayloadBytes);
        var reader = BodyReader.Open(context, maxBytes, server.Access.Limits.MaxDecompressionRatio);
        try
        {
            while (true)
            {
                var result = await reader.ReadAsync(context.RequestAborted).ConfigureAwait(false);
                if (result.Buffer.Length > maxBytes)
                {
                    reader.AdvanceTo(result.Buffer.End);
                    throw BodyReader.TooLarge(maxBytes);
                }

                if (result.IsCompleted)
                {
                    byte[] body = result.Buffer.ToArray();
                    reader.AdvanceTo(result.Buffer.End);
                    return body;
                }

                reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
            }
        }
        finally
        {
            if (!ReferenceEquals(reader, context.Request.BodyReader))
            {
                await reader.CompleteAsync().ConfigureAwait(false);
            }
        }
    }

    private static async Task AnswerAsync(HttpContext context, MediatedAnswer answer)
    {
        var response = context.Response;
        if (answer.RetryAfter > TimeSpan.Zero)
        {
            response.Headers.RetryAfter = Math.Max(1, (int)Math.Ceiling(answer.RetryAfter.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        }

        if (answer.Message is not { } message || (message.Body.IsEmpty && !answer.IsSuccess))
        {
            await Answers.ProblemAsync(context, answer.Status, null, answer.Detail).ConfigureAwait(false);
            return;
        }

        response.StatusCode = answer.Status;
        foreach (var (name, value) in message.Headers)
        {
            if (IsPlain(value) && name.Length > 0 && name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'))
            {
                response.Headers[name] = value;
            }
        }

        // What a device says is data, and no page of this site: a browser must neither guess another type nor run it.
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers.ContentSecurityPolicy = "sandbox";
        if (message.Body.IsEmpty)
        {
            return;
        }

        response.ContentType = message.ContentType is { } type && IsPlain(type) && MediaTypeHeaderValue.TryParse(type, out _) ? type : "application/octet-stream";
        response.ContentLength = message.Body.Length;
        await response.Body.WriteAsync(message.Body, context.RequestAborted).ConfigureAwait(false);
    }

    private static bool IsPlain(string value) => !value.AsSpan().ContainsAnyExceptInRange(' ', '~');

    /// <summary>How long the caller waits (RFC 7240, <c>Prefer: wait=5</c>); null where it does not say.</summary>
    private static TimeSpan? PreferredWait(HttpContext context)
    {
        foreach (string? line in context.Request.Headers["Prefer"])
        {
            foreach (var range in line.AsSpan().Split(','))
            {
                var preference = line.AsSpan(range).Trim();
                if (preference.StartsWith("wait=", StringComparison.OrdinalIgnoreCase)
                    && int.TryParse(preference[5..], NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) && seconds > 0)
                {
                    return TimeSpan.FromSeconds(seconds);
                }
            }
        }

        return null;
    }

    /// <summary>The path behind a group's prefix, without a slash in front; null where the template does not take it, as routing takes letters of any case and a slash at the end.</summary>
    private string? TopicOf(HttpContext context)
    {
        string path = context.Request.Path.Value ?? "";
        int prefix = context.GetEndpoint() is RouteEndpoint { RoutePattern.PathSegments.Count: var levels } ? Math.Max(0, levels - _levels) : 0;
        int start = 1;
        for (int level = 0; level < prefix; level++)
        {
            start = path.IndexOf('/', Math.Min(start, path.Length)) + 1;
        }

        string topic = start < path.Length ? path[start..] : "";
        Span<Range> places = stackalloc Range[TopicTemplate.MaxPlaces];
        return topic.Length > 0 && Template.TryMatch(topic, places) ? topic : null;
    }
}
