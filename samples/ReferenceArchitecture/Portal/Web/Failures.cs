using IoT.Reference.Access;

namespace IoT.Reference.Portal.Web;

/// <summary>What goes wrong on the way, as a problem that says whose fault it is; nothing of this server's inside.</summary>
internal static class Failures
{
    internal static async Task HandleAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody listens any more.
        }
        catch (Exception e) when (!context.Response.HasStarted && Of(e) is { } problem)
        {
            await Problems.WriteAsync(context, problem.Status, problem.Title, problem.Detail);
        }
    }

    private static (int Status, string Title, string Detail)? Of(Exception e) => e switch
    {
        BadHttpRequestException bad => (bad.StatusCode, "Not valid", "The request can't be read: " + (bad.StatusCode == StatusCodes.Status413PayloadTooLarge ? "it is too long." : "is its body the JSON that is expected?")),
        HttpRequestException => (StatusCodes.Status502BadGateway, "A layer does not answer", "What is behind this address can't be reached now. Try again in a moment."),
        OperationCanceledException or TimeoutException => (StatusCodes.Status504GatewayTimeout, "A layer is too slow", "What is behind this address did not answer in time."),
        _ => null,
    };
}
