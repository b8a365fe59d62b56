using System.Net;
using System.Net.Http.Headers;

namespace IoT.Reference.Portal;

/// <summary>A portal on a port of its own with fake layers behind it and a data folder that goes with it.</summary>
internal sealed class RunningPortal : IAsyncDisposable
{
    private readonly string _folder;
    private readonly PortalLayer _portal;

    private RunningPortal(string folder, FakeUpstream upstream, PortalLayer portal) => (_folder, Upstream, _portal) = (folder, upstream, portal);

    internal FakeUpstream Upstream { get; }

    internal Uri Address => _portal.Address;

    internal string Folder => _folder;

    internal static async Task<RunningPortal> StartAsync(Func<PortalOptions, PortalOptions>? change = null)
    {
        string folder = Directory.CreateTempSubdirectory("portal-").FullName;
        var upstream = await FakeUpstream.StartAsync();
        return new RunningPortal(folder, upstream, await PortalLayer.StartAsync(Options(folder, upstream, change)));
    }

    /// <summary>Another instance with the same data and the same layers behind it.</summary>
    internal Task<PortalLayer> StartAnotherAsync() => PortalLayer.StartAsync(Options(_folder, Upstream, null));

    /// <summary>A client without redirections, with cookies: a browser's part in a log-in.</summary>
    internal static HttpClient Browser(Uri address, CookieContainer? cookies = null) =>
        new(new SocketsHttpHandler { AllowAutoRedirect = false, CookieContainer = cookies ?? new CookieContainer(), UseProxy = false }) { BaseAddress = address };

    /// <summary>A client that sends a token of its own.</summary>
    internal HttpClient Program(string subject = "app-1", string? scope = null)
    {
        var client = Browser(Address);
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Upstream.Token(subject, Contracts.SubjectKind.App, scope));
        return client;
    }

    /// <summary>A browser that went all the way of the log-in.</summary>
    internal async Task<HttpClient> LogInAsync(CookieContainer? cookies = null)
    {
        var browser = Browser(Address, cookies);
        await FollowAsync(browser, new Uri(Address, "login"));
        return browser;
    }

    /// <summary>Follows redirections until there are none.</summary>
    internal static async Task<HttpResponseMessage> FollowAsync(HttpClient browser, Uri from)
    {
        for (int i = 0; i < 10; i++)
        {
            var response = await browser.GetAsync(from);
            if (response.Headers.Location is not { } next)
            {
                return response;
            }

            response.Dispose();
            from = new Uri(from, next);
        }

        throw new InvalidOperationException("It goes round in circles.");
    }

    /// <summary>What a page learns of its session.</summary>
    internal static async Task<string> CsrfOfAsync(HttpClient browser)
    {
        using var json = System.Text.Json.JsonDocument.Parse(await browser.GetStringAsync(new Uri("session", UriKind.Relative)));
        return json.RootElement.GetProperty("csrf").GetString()!;
    }

    public async ValueTask DisposeAsync()
    {
        await _portal.DisposeAsync();
        await Upstream.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static PortalOptions Options(string folder, FakeUpstream upstream, Func<PortalOptions, PortalOptions>? change)
    {
        var options = new PortalOptions { DataFolder = folder, Service = FakeUpstream.Service, Layers = upstream.Addresses, Port = 0 };
        return change?.Invoke(options) ?? options;
    }
}
