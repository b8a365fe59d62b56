using System.Net;
using IoT.Reference.Contracts;

namespace IoT.Reference.DeviceManager.Links;

/// <summary>What is asked of <c>Identity</c>, with this layer's own token.</summary>
internal sealed class IdentityLink(HttpClient client) : IDisposable
{
    /// <summary>Makes a device's secret. Where there is one already, of a registration that was broken off, it is replaced and void.</summary>
    public async Task<string> CreateAsync(string device, bool isGateway)
    {
        var request = new CredentialRequest(device, SubjectKind.Device, [Scopes.UseBus], isGateway ? [] : null);
        return await AskAsync(async () =>
        {
            using var response = await client.PostAsJsonAsync(new Uri("v1/credentials", UriKind.Relative), request, WireJson.Default.CredentialRequest);
            return response.StatusCode == HttpStatusCode.Conflict
                ? await RotateOnceAsync(device, TimeSpan.Zero)
                : await ReadAsync(response);
        });
    }

    /// <summary>Makes another secret; the one before holds for the overlap.</summary>
    public Task<string> RotateAsync(string device, TimeSpan overlap) => AskAsync(() => RotateOnceAsync(device, overlap));

    /// <summary>Says once what stands in the outbox.</summary>
    /// <returns>The status; null: <c>Identity</c> did not answer.</returns>
    public async Task<HttpStatusCode?> TellAsync(OutboxKind kind, string device, string? body, CancellationToken stop)
    {
        using var request = kind switch
        {
            OutboxKind.Facts => new HttpRequestMessage(HttpMethod.Put, "v1/resources/" + device)
            {
                Content = new StringContent(body!, System.Text.Encoding.UTF8, "application/json"),
            },
            OutboxKind.Revoke => new HttpRequestMessage(HttpMethod.Delete, "v1/credentials/" + device),
            _ => new HttpRequestMessage(HttpMethod.Delete, "v1/resources/" + device),
        };
        try
        {
            using var response = await client.SendAsync(request, stop);
            return response.StatusCode;
        }
        catch (Exception e) when (e is HttpRequestException || (e is OperationCanceledException && !stop.IsCancellationRequested))
        {
            return null;
        }
    }

    public void Dispose() => client.Dispose();

    private static async Task<string> AskAsync(Func<Task<string>> ask)
    {
        try
        {
            return await ask();
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or System.Text.Json.JsonException)
        {
            throw Refusal.Away("Identity gives no secret now; try again later.");
        }
    }

    private static async Task<string> ReadAsync(HttpResponseMessage response)
    {
        if (response.StatusCode is HttpStatusCode.BadRequest)
        {
            throw Refusal.Invalid("Identity does not take this name: it is taken by somebody else.");
        }

        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync(WireJson.Default.IssuedCredential))!.Secret;
    }

    private async Task<string> RotateOnceAsync(string device, TimeSpan overlap)
    {
        using var response = await client.PostAsJsonAsync(
            new Uri($"v1/credentials/{device}/rotate", UriKind.Relative), new RotateRequest(overlap), WireJson.Default.RotateRequest);
        return await ReadAsync(response);
    }
}
