using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace IoT.Cep;

/// <summary>
/// When the application stops: a server waits for the requests that are under way, and those that stay would hold it up for as long as it has patience.
/// </summary>
internal static class Stopping
{
    internal static CancellationToken Of(HttpContext context) =>
        context.RequestServices?.GetService<IHostApplicationLifetime>()?.ApplicationStopping ?? CancellationToken.None;

    /// <summary>Cancelled when the client has gone, has to go, or the application stops.</summary>
    internal static CancellationTokenSource OrGone(HttpContext context, Admission admission) =>
        CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, Of(context), admission.Ended);
}
