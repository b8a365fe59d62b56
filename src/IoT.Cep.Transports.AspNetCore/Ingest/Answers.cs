using System.Globalization;
using System.IO.Pipelines;
using System.Text.Json;
using IoT.Cep.Extensibility;
using Microsoft.AspNetCore.Http;

namespace IoT.Cep;

/// <summary>Answers in their three forms: a status alone, a problem (RFC 9457), and the report of a body of lines.</summary>
internal static class Answers
{
    /// <summary>Seconds in which a short hold-up is usually over.</summary>
    private const int SoonSeconds = 1;

    /// <summary>What names and details of a device's payload are cut to.</summary>
    private const int MaxDetail = 256;

    internal static void Status(HttpContext context, int status) => context.Response.StatusCode = status;

    /// <summary>Not now: the engine holds back, is not running, or too many wait.</summary>
    internal static Task BusyAsync(HttpContext context, string detail)
    {
        context.Response.Headers.RetryAfter = SoonSeconds.ToString(CultureInfo.InvariantCulture);
        return ProblemAsync(context, StatusCodes.Status503ServiceUnavailable, null, detail);
    }

    internal static Task TooManyAsync(HttpContext context, TimeSpan wait)
    {
        int seconds = Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds));
        context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        return ProblemAsync(context, StatusCodes.Status429TooManyRequests, null, "The sender is past its limit.");
    }

    internal static int StatusOf(DeadLetterReason reason) => reason switch
    {
        DeadLetterReason.TooLarge => StatusCodes.Status413PayloadTooLarge,
        DeadLetterReason.UnknownTopic => StatusCodes.Status415UnsupportedMediaType,
        _ => StatusCodes.Status400BadRequest,
    };

    internal static Task ProblemAsync(HttpContext context, int status, DeadLetterReason? reason, string detail)
    {
        if (context.Response.HasStarted)
        {
            return Task.CompletedTask;
        }

        context.Response.StatusCode = status;
        context.Response.ContentType = "application/problem+json";
        using (var json = new Utf8JsonWriter((System.Buffers.IBufferWriter<byte>)context.Response.BodyWriter))
        {
            json.WriteStartObject();
            json.WriteNumber("status", status);
            if (reason is { } why)
            {
                json.WriteString("reason", why.ToString());
            }

            json.WriteString("detail", SafeText.Escape(detail, MaxDetail));
            json.WriteEndObject();
        }

        return FlushAsync(context.Response.BodyWriter, context.RequestAborted);
    }

    /// <summary>A single message's answer: the same, whether it is told for the first time or again.</summary>
    internal static Task SingleAsync(HttpContext context, Outcome outcome, int statusIfTaken)
    {
        if (outcome.Rejected == 0)
        {
            Status(context, statusIfTaken);
            return Task.CompletedTask;
        }

        var (reason, detail) = outcome.Errors is [var first, ..] ? (first.Reason, first.Detail) : (DeadLetterReason.Malformed, "");
        return ProblemAsync(context, StatusOf(reason), reason, detail);
    }

    /// <summary>The report of a body of lines: 200 where all were taken, 207 where some, 400 where none.</summary>
    internal static Task ReportAsync(HttpContext context, Outcome outcome, bool isAccepted)
    {
        context.Response.StatusCode = outcome.Rejected == 0 ? isAccepted ? StatusCodes.Status202Accepted : StatusCodes.Status200OK
            : outcome.Rejected < outcome.Received ? StatusCodes.Status207MultiStatus : StatusCodes.Status400BadRequest;
        context.Response.ContentType = "application/json";
        using (var json = new Utf8JsonWriter((System.Buffers.IBufferWriter<byte>)context.Response.BodyWriter))
        {
            Write(json, outcome);
        }

        return FlushAsync(context.Response.BodyWriter, context.RequestAborted);
    }

    /// <summary>Utf8JsonWriter writes what HTML could take for markup as \u003C, so the text is safe there too.</summary>
    internal static void Write(Utf8JsonWriter json, Outcome outcome)
    {
        json.WriteStartObject();
        json.WriteNumber("received", outcome.Received);
        json.WriteNumber("rejected", outcome.Rejected);
        if (outcome.Rejected > 0)
        {
            json.WriteStartArray("errors");
            foreach (var error in outcome.Errors)
            {
                Write(json, error);
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    internal static void Write(Utf8JsonWriter json, ItemError error)
    {
        json.WriteStartObject();
        json.WriteNumber("index", error.Index);
        json.WriteString("reason", error.Reason.ToString());
        json.WriteString("detail", SafeText.Escape(error.Detail, MaxDetail));
        json.WriteEndObject();
    }

    internal static async Task FlushAsync(PipeWriter writer, CancellationToken stop) => await writer.FlushAsync(stop).ConfigureAwait(false);
}
