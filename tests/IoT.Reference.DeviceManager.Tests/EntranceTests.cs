using System.Net;
using System.Net.Http.Json;
using IoT.Reference.Contracts;

namespace IoT.Reference.DeviceManager.Tests;

/// <summary>Who is not allowed gets nowhere, at any address.</summary>
public sealed class EntranceTests
{
    private static readonly (HttpMethod Method, string Path)[] _addresses =
    [
        (HttpMethod.Post, "v1/devices"), (HttpMethod.Post, "v1/devices/batch"), (HttpMethod.Get, "v1/devices/d1"), (HttpMethod.Patch, "v1/devices/d1"), (HttpMethod.Delete, "v1/devices/d1"),
        (HttpMethod.Put, "v1/devices/d1/owner"), (HttpMethod.Get, "v1/devices/d1/owners"), (HttpMethod.Put, "v1/devices/d1/desired"), (HttpMethod.Get, "v1/devices/d1/state"),
        (HttpMethod.Post, "v1/devices/d1/commands"), (HttpMethod.Get, "v1/devices/d1/commands"), (HttpMethod.Post, "v1/devices/d1/lock"), (HttpMethod.Post, "v1/devices/d1/unlock"),
        (HttpMethod.Post, "v1/devices/d1/wipe"), (HttpMethod.Post, "v1/devices/d1/locate"), (HttpMethod.Post, "v1/devices/d1/rotate"), (HttpMethod.Post, "v1/devices/d1/revoke"),
        (HttpMethod.Post, "v1/devices/d1/network"), (HttpMethod.Post, "v1/jobs"), (HttpMethod.Get, "v1/jobs"), (HttpMethod.Get, "v1/jobs/1"), (HttpMethod.Post, "v1/jobs/1/pause"),
        (HttpMethod.Post, "v1/jobs/1/resume"), (HttpMethod.Post, "v1/jobs/1/cancel"), (HttpMethod.Post, "v1/packages?type=a&version=1"), (HttpMethod.Get, "v1/packages"),
        (HttpMethod.Get, "v1/packages/1/content"), (HttpMethod.Post, "v1/rollouts"), (HttpMethod.Get, "v1/rollouts/1"), (HttpMethod.Post, "v1/rollouts/1/cancel"), (HttpMethod.Get, "v1/audit"),
        (HttpMethod.Get, "v1/people/anna/export"), (HttpMethod.Delete, "v1/people/anna"),
    ];

    [Fact]
    public async Task Without_a_token_or_a_policy_or_the_scope_every_address_refuses()
    {
        await using var installation = await Installation.StartAsync();
        await installation.RegisterAsync("d1", owner: "anna");
        using var nobody = new HttpClient { BaseAddress = installation.Manager.Address };
        using var stranger = installation.As("mallory");
        using var narrow = installation.As(Installation.Operator, scopes: Scopes.ReadReadings);
        foreach (var (method, path) in _addresses)
        {
            Assert.Equal((path, HttpStatusCode.Unauthorized), (path, await StatusAsync(nobody, method, path)));
            Assert.Equal((path, HttpStatusCode.Forbidden), (path, await StatusAsync(stranger, method, path)));
            Assert.Equal((path, HttpStatusCode.Forbidden), (path, await StatusAsync(narrow, method, path)));
        }

        using var none = await stranger.GetAsync(new Uri("v1/devices", UriKind.Relative));
        Assert.Empty((await none.Content.ReadFromJsonAsync(WireJson.Default.ListDeviceRecord))!);
        var audit = await installation.GetAsync("v1/audit?limit=1000", WireJson.Default.ListAuditEntry);
        Assert.Contains(audit, static e => e is { Subject: "mallory", Outcome: "refused" });
    }

    [Fact]
    public async Task A_device_can_not_be_claimed_by_another_device()
    {
        await using var installation = await Installation.StartAsync();
        var registered = await installation.RegisterAsync("d1", owner: null);
        using var device = installation.As("d2", kind: SubjectKind.Device);
        using var answer = await device.PostAsJsonAsync("v1/claims", new ClaimRequest("d1", registered.ClaimCode!), WireJson.Default.ClaimRequest);
        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
    }

    private static async Task<HttpStatusCode> StatusAsync(HttpClient client, HttpMethod method, string path)
    {
        using var request = new HttpRequestMessage(method, path);
        if (method != HttpMethod.Get)
        {
            request.Content = new StringContent("{}", System.Text.Encoding.UTF8, "application/json");
        }

        using var response = await client.SendAsync(request);
        return response.StatusCode;
    }
}
