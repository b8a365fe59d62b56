using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Web;

/// <summary>A request that can't be understood; the message says what is expected.</summary>
internal sealed class BadRequestException(string message) : Exception(message);

/// <summary>Answers such requests with 400.</summary>
internal static class BadRequests
{
    public static async Task AnswerAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
        }
        catch (BadRequestException e) when (!context.Response.HasStarted)
        {
            await Problems.WriteAsync(context, StatusCodes.Status400BadRequest, "Not understood", e.Message);
        }
        catch (JsonException) when (!context.Response.HasStarted)
        {
            await Problems.WriteAsync(context, StatusCodes.Status400BadRequest, "Not understood", "The body is not the JSON that is expected here.");
        }
    }
}

/// <summary>What requests bring.</summary>
internal static class Requests
{
    public static string Device(this HttpContext context)
    {
        string device = (string)context.Request.RouteValues["device"]!;
        return DeviceIds.IsValid(device) ? device : throw new BadRequestException("There is no device of such a name.");
    }

    public static string? Word(this HttpContext context, string name) => context.Request.Query[name] is [{ Length: > 0 and <= 256 } word] ? word : null;

    public static int Limit(this HttpContext context, int most, int usual) =>
        context.Word("limit") is not { } text ? usual
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int limit) && limit >= 1 ? Math.Min(limit, most)
        : throw new BadRequestException("limit must be a whole number from 1.");

    public static DateTimeOffset? Time(this HttpContext context, string name) =>
        context.Word(name) is not { } text ? null
        : DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time.ToUniversalTime()
        : throw new BadRequestException($"{name} must be a time such as 2026-01-31T12:00:00Z.");

    /// <summary>A list of devices, separated by commas.</summary>
    public static string[] Devices(this HttpContext context, int most)
    {
        string[] devices = [.. context.Request.Query["devices"].SelectMany(d => (d ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries)).Distinct()];
        return devices.Length <= most && devices.All(d => DeviceIds.IsValid(d)) ? devices : throw new BadRequestException($"devices must be at most {most} names of devices, separated by commas.");
    }

    public static async Task<T> BodyAsync<T>(this HttpContext context, JsonTypeInfo<T> type) =>
        await context.Request.ReadFromJsonAsync(type, context.RequestAborted) ?? throw new BadRequestException("The body is empty.");

    public static string Subject(this HttpContext context) => context.GetSubject().Id;
}

/// <summary>Lets an asynchronous answer be one: a lambda that takes only the context would be taken for a request delegate, and what it answers thrown away.</summary>
internal static class Answer
{
    public static Delegate By(Func<HttpContext, Task<IResult>> answer) => answer;
}
