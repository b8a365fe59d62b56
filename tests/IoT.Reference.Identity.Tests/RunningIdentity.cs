using System.Buffers.Text;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using IoT.Reference.Contracts;
using Microsoft.AspNetCore.WebUtilities;

namespace IoT.Reference.Identity;

/// <summary>The layer on a port of its own over a folder of its own, and a client of it.</summary>
internal sealed partial class RunningIdentity : IAsyncDisposable
{
    internal static readonly Uri Redirect = new("http://127.0.0.1:5100/signin");

    private readonly bool _ownsFolder;

    private RunningIdentity(IdentityLayer layer, string folder, bool ownsFolder)
    {
        (Layer, Folder, _ownsFolder) = (layer, folder, ownsFolder);
        Client = new HttpClient { BaseAddress = layer.Address };
    }

    internal IdentityLayer Layer { get; }

    internal string Folder { get; }

    internal HttpClient Client { get; }

    internal static async Task<RunningIdentity> StartAsync(Func<IdentityOptions, IdentityOptions>? change = null, string? folder = null)
    {
        string path = folder ?? Path.Combine(Path.GetTempPath(), "identity-" + Guid.NewGuid().ToString("n"));
        var options = new IdentityOptions { DataFolder = path, Port = 0 };
        return new RunningIdentity(await IdentityLayer.StartAsync(change?.Invoke(options) ?? options), path, folder is null);
    }

    internal string SecretOf(string layer) => Layer.Services.Single(s => s.Id == layer).Secret;

    /// <summary>A token by client credentials; null where there is none for these.</summary>
    internal async Task<string?> MachineTokenAsync(string id, string secret, string? scope = null)
    {
        using var response = await PostFormAsync("connect/token", scope is null
            ? [new("grant_type", "client_credentials"), new("client_id", id), new("client_secret", secret)]
            : [new("grant_type", "client_credentials"), new("client_id", id), new("client_secret", secret), new("scope", scope)]);
        return response.IsSuccessStatusCode ? Property(await response.Content.ReadAsStringAsync(), "access_token") : null;
    }

    internal async Task<string> ServiceTokenAsync(string layer) => (await MachineTokenAsync(layer, SecretOf(layer)))!;

    internal async Task<HttpResponseMessage> PostFormAsync(string path, KeyValuePair<string, string>[] form)
    {
        using var content = new FormUrlEncodedContent(form);
        return await Client.PostAsync(new Uri(path, UriKind.Relative), content);
    }

    internal async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? token, HttpContent? content = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        request.Headers.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        return await Client.SendAsync(request);
    }

    internal Task<HttpResponseMessage> SendAsync<T>(HttpMethod method, string path, string? token, T body, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type) =>
        SendAsync(method, path, token, JsonContent.Create(body, type));

    internal async Task<HttpStatusCode> StatusAsync(HttpMethod method, string path, string? token, HttpContent? content = null)
    {
        using var response = await SendAsync(method, path, token, content);
        return response.StatusCode;
    }

    internal async Task<T> ReadAsync<T>(HttpMethod method, string path, string? token, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, HttpContent? content = null)
    {
        using var response = await SendAsync(method, path, token, content);
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
        return (await response.Content.ReadFromJsonAsync(type))!;
    }

    internal async Task<IssuedCredential> IssueAsync(CredentialRequest request) => await ReadAsync(
        HttpMethod.Post, "v1/credentials", await ServiceTokenAsync("device-manager"), WireJson.Default.IssuedCredential, JsonContent.Create(request, WireJson.Default.CredentialRequest));

    internal async Task PutResourceAsync(string device, ResourceFacts facts)
    {
        using var response = await SendAsync(HttpMethod.Put, "v1/resources/" + device, await ServiceTokenAsync("device-manager"), facts, WireJson.Default.ResourceFacts);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
    }

    internal async Task<bool> MayAsync(Subject subject, string action, string resource)
    {
        var decisions = await ReadAsync(
            HttpMethod.Post, "v1/decisions", await ServiceTokenAsync("bus"), WireJson.Default.DecisionArray,
            JsonContent.Create([new DecisionRequest(subject, action, resource)], WireJson.Default.DecisionRequestArray));
        return decisions[0].Permitted;
    }

    /// <summary>Logs in as a browser does, by the portal's address, and gives the portal's tokens.</summary>
    internal async Task<(string Access, string Refresh)> LogInAsync(string user, string? password = null, string? scope = null)
    {
        using var browser = new Browser(Layer.Address);
        string verifier = NewVerifier();
        string code = await browser.AuthorizeAsync(user, password ?? Layer.FirstPasswords[user], scope ?? "openid profile offline_access " + string.Join(' ', Scopes.OfPeople), verifier);
        return await TokensAsync([
            new("grant_type", "authorization_code"), new("code", code), new("redirect_uri", Redirect.AbsoluteUri), new("code_verifier", verifier),
            new("client_id", "portal"), new("client_secret", SecretOf("portal"))]);
    }

    internal Task<(string Access, string Refresh)> RefreshAsync(string refresh) => TokensAsync([
        new("grant_type", "refresh_token"), new("refresh_token", refresh), new("client_id", "portal"), new("client_secret", SecretOf("portal"))]);

    /// <summary>Empty where there are none.</summary>
    internal async Task<(string Access, string Refresh)> TokensAsync(KeyValuePair<string, string>[] form)
    {
        using var response = await PostFormAsync("connect/token", form);
        string text = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode ? (Property(text, "access_token")!, Property(text, "refresh_token") ?? "") : ("", "");
    }

    internal static string NewVerifier() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    internal static string? Property(string json, string name)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.TryGetProperty(name, out var value) ? value.ToString() : null;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Layer.DisposeAsync();
        if (_ownsFolder)
        {
            Directory.Delete(Folder, recursive: true);
        }
    }

    /// <summary>Keeps cookies, follows no redirections by itself.</summary>
    internal sealed partial class Browser : IDisposable
    {
        private readonly HttpClient _client;

        internal Browser(Uri address) => _client = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false }) { BaseAddress = address };

        internal Task<HttpResponseMessage> GetAsync(string path) => _client.GetAsync(new Uri(path, UriKind.RelativeOrAbsolute));

        internal async Task<string> AuthorizeAsync(string user, string password, string scope, string verifier, string client = "portal", string? redirect = null)
        {
            string path = AuthorizePath(scope, verifier, client, redirect);
            using var first = await GetAsync(path);
            Assert.Equal(HttpStatusCode.Redirect, first.StatusCode);
            using var logIn = await LogInAsync(first.Headers.Location!.ToString(), user, password);
            Assert.Equal(HttpStatusCode.Redirect, logIn.StatusCode);
            using var back = await GetAsync(logIn.Headers.Location!.ToString());
            Assert.True(back.StatusCode == HttpStatusCode.Redirect, await back.Content.ReadAsStringAsync());
            return CodeOf(back.Headers.Location!);
        }

        internal static string AuthorizePath(string scope, string verifier, string client, string? redirect)
        {
            string challenge = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(verifier)));
            return QueryHelpers.AddQueryString("/connect/authorize", new Dictionary<string, string?>
            {
                ["response_type"] = "code",
                ["client_id"] = client,
                ["redirect_uri"] = redirect ?? Redirect.AbsoluteUri,
                ["scope"] = scope,
                ["state"] = "s",
                ["code_challenge"] = challenge,
                ["code_challenge_method"] = "S256",
            });
        }

        internal static string CodeOf(Uri address)
        {
            var query = QueryHelpers.ParseQuery(address.Query);
            return query.TryGetValue("code", out var code) ? code.ToString() : "";
        }

        internal async Task<HttpResponseMessage> LogInAsync(string page, string user, string password) => await SubmitAsync(page, "/login", new() { ["user"] = user, ["password"] = password });

        /// <summary>Sends a page's form with its hidden fields.</summary>
        internal async Task<HttpResponseMessage> SubmitAsync(string page, string action, Dictionary<string, string> values)
        {
            string html = await _client.GetStringAsync(new Uri(page, UriKind.RelativeOrAbsolute));
            foreach (Match hidden in Hidden().Matches(html))
            {
                values.TryAdd(WebUtility.HtmlDecode(hidden.Groups[1].Value), WebUtility.HtmlDecode(hidden.Groups[2].Value));
            }

            return await PostAsync(action, values);
        }

        internal async Task<HttpResponseMessage> PostAsync(string action, Dictionary<string, string> values)
        {
            using var form = new FormUrlEncodedContent(values);
            return await _client.PostAsync(new Uri(action, UriKind.Relative), form);
        }

        public void Dispose() => _client.Dispose();

        [GeneratedRegex("<input type=\"hidden\" name=\"([^\"]*)\" value=\"([^\"]*)\">")]
        private static partial Regex Hidden();
    }
}
