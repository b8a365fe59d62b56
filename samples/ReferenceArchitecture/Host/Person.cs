using System.Buffers.Text;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;

using IoT.Reference.Contracts;

namespace IoT.Reference.Host;

/// <summary>Somebody who has logged in as a browser does, through the public pages of <c>Identity</c>, for a program without a secret: code flow with PKCE and a return to this machine.</summary>
internal sealed partial class Person : IDisposable
{
    private static readonly Uri _return = new("http://127.0.0.1/signin");
    private readonly HttpClient _client;

    private Person(string name, HttpClient client) => (Name, _client) = (name, client);

    public string Name { get; }

    /// <summary>The access token, for requests that <see cref="SendAsync"/> does not make.</summary>
    public string Token => _client.DefaultRequestHeaders.Authorization!.Parameter!;

    /// <summary>Logs in.</summary>
    /// <exception cref="InvalidOperationException">The name or the password is wrong.</exception>
    public static async Task<Person> LogInAsync(Uri identity, string name, string password, CancellationToken stop)
    {
        using var browser = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false }) { BaseAddress = identity };
        string verifier = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
        string challenge = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(verifier)));
        string scope = string.Join(' ', Scopes.OfPeople);
        Uri page = new($"/connect/authorize?response_type=code&client_id=cli&redirect_uri={Uri.EscapeDataString(_return.AbsoluteUri)}&scope={Uri.EscapeDataString(scope)}"
            + $"&state=s&code_challenge={challenge}&code_challenge_method=S256", UriKind.Relative);
        for (int step = 0; step < 6; step++)
        {
            using HttpResponseMessage answer = await browser.GetAsync(page, stop);
            Uri? next = answer.Headers.Location;
            if (answer.StatusCode == HttpStatusCode.OK)
            {
                // A page with a form: the log-in, or the question whether this program may have what it asks for.
                next = await SubmitAsync(browser, await answer.Content.ReadAsStringAsync(stop), name, password, stop);
            }

            if (next is null)
            {
                break;
            }

            if (next.IsAbsoluteUri && next.AbsolutePath == _return.AbsolutePath && CodeOf(next) is { } code)
            {
                return new Person(name, new HttpClient
                {
                    DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", await RedeemAsync(browser, code, verifier, stop)) },
                    Timeout = TimeSpan.FromMinutes(2),
                });
            }

            page = next;
        }

        throw new InvalidOperationException($"{name} could not log in.");
    }

    /// <summary>Asks for something that is there.</summary>
    /// <exception cref="HttpRequestException">It was refused; the message has the reason.</exception>
    public async Task<T> GetAsync<T>(Uri layer, string path, JsonTypeInfo<T> type, CancellationToken stop)
    {
        using HttpResponseMessage answer = await SendAsync(HttpMethod.Get, layer, path, null, stop);
        await EnsureAsync(answer, stop);
        return (await answer.Content.ReadFromJsonAsync(type, stop))!;
    }

    /// <summary>Sends something, and reads the answer.</summary>
    /// <exception cref="HttpRequestException">It was refused; the message has the reason.</exception>
    public async Task<TOut> PostAsync<TIn, TOut>(Uri layer, string path, TIn body, JsonTypeInfo<TIn> type, JsonTypeInfo<TOut> answerType, CancellationToken stop)
    {
        using HttpResponseMessage answer = await SendAsync(HttpMethod.Post, layer, path, JsonContent.Create(body, type), stop);
        await EnsureAsync(answer, stop);
        return (await answer.Content.ReadFromJsonAsync(answerType, stop))!;
    }

    /// <summary>Sends a request, and gives the answer as it is.</summary>
    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, Uri layer, string path, HttpContent? body, CancellationToken stop)
    {
        using var request = new HttpRequestMessage(method, new Uri(layer, path)) { Content = body };
        return await _client.SendAsync(request, stop);
    }

    /// <summary>Sends a request, and gives the answer's status.</summary>
    public async Task<HttpStatusCode> StatusAsync(HttpMethod method, Uri layer, string path, HttpContent? body, CancellationToken stop)
    {
        using HttpResponseMessage answer = await SendAsync(method, layer, path, body, stop);
        return answer.StatusCode;
    }

    /// <summary>Throws, with the reason that the answer gives.</summary>
    public static async Task EnsureAsync(HttpResponseMessage answer, CancellationToken stop)
    {
        if (!answer.IsSuccessStatusCode)
        {
            string text = await answer.Content.ReadAsStringAsync(stop);
            throw new HttpRequestException($"{answer.RequestMessage?.Method} {answer.RequestMessage?.RequestUri?.AbsolutePath}: {(int)answer.StatusCode} {text}", null, answer.StatusCode);
        }
    }

    public void Dispose() => _client.Dispose();

    private static async Task<Uri?> SubmitAsync(HttpClient browser, string html, string name, string password, CancellationToken stop)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (Match hidden in Hidden().Matches(html))
        {
            values[WebUtility.HtmlDecode(hidden.Groups[1].Value)] = WebUtility.HtmlDecode(hidden.Groups[2].Value);
        }

        bool isLogIn = html.Contains("name=\"password\"", StringComparison.Ordinal);
        if (isLogIn)
        {
            (values["user"], values["password"]) = (name, password);
        }
        else
        {
            values["consent"] = "yes";
        }

        using var form = new FormUrlEncodedContent(values);
        using HttpResponseMessage answer = await browser.PostAsync(new Uri(isLogIn ? "/login" : "/connect/authorize", UriKind.Relative), form, stop);
        return answer.Headers.Location;
    }

    private static async Task<string> RedeemAsync(HttpClient browser, string code, string verifier, CancellationToken stop)
    {
        using var form = new FormUrlEncodedContent(
        [
            new("grant_type", "authorization_code"), new("code", code), new("redirect_uri", _return.AbsoluteUri), new("code_verifier", verifier), new("client_id", "cli"),
        ]);
        using HttpResponseMessage answer = await browser.PostAsync(new Uri("/connect/token", UriKind.Relative), form, stop);
        await EnsureAsync(answer, stop);
        using var json = JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync(stop));
        return json.RootElement.GetProperty("access_token").GetString()!;
    }

    private static string? CodeOf(Uri address) => address.Query.TrimStart('?').Split('&').Select(static p => p.Split('='))
        .Where(static p => p[0] == "code").Select(static p => Uri.UnescapeDataString(p[1])).FirstOrDefault();

    [GeneratedRegex("<input type=\"hidden\" name=\"([^\"]*)\" value=\"([^\"]*)\">")]
    private static partial Regex Hidden();
}
