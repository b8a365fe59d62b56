using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace IoT.Reference.Access;

/// <summary>Errors as RFC 9457 says them, without reflection.</summary>
public static class Problems
{
    /// <summary>Answers with a problem.</summary>
    /// <param name="context">The request.</param>
    /// <param name="status">The status.</param>
    /// <param name="title">What, in some words.</param>
    /// <param name="detail">What, and what to do. No secret, nothing that came from the network unescaped.</param>
    public static async Task WriteAsync(HttpContext context, int status, string title, string? detail = null)
    {
        ArgumentNullException.ThrowIfNull(context);
        var body = new System.Buffers.ArrayBufferWriter<byte>(256);
        await using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartObject();
            json.WriteString("title", title);
            json.WriteNumber("status", status);
            if (detail is not null)
            {
                json.WriteString("detail", detail);
            }

            json.WriteEndObject();
        }

        context.Response.StatusCode = status;
        context.Response.ContentType = "application/problem+json";
        context.Response.ContentLength = body.WrittenCount;
        await context.Response.Body.WriteAsync(body.WrittenMemory, context.RequestAborted);
    }

    /// <summary>The same, for what endpoints return.</summary>
    /// <param name="status">The status.</param>
    /// <param name="title">What.</param>
    /// <param name="detail">What to do.</param>
    public static IResult Of(int status, string title, string? detail = null) => new Problem(status, title, detail);

    private sealed record Problem(int Status, string Title, string? Detail) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext) => WriteAsync(httpContext, Status, Title, Detail);
    }
}
