using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.DeviceManager.Tests;

public sealed class RolloutTests
{
    private static readonly byte[] _content = RandomNumberGenerator.GetBytes(100_000);

    [Fact]
    [Trait("Requirement", "R24")]
    [Trait("Requirement", "R70")]
    public async Task A_package_comes_to_the_devices_group_by_group_with_hash_and_signature()
    {
        await using var installation = await Installation.StartAsync();
        await installation.RegisterAsync("pi-1", group: "early");
        await installation.RegisterAsync("pi-2", group: "late");
        await installation.RegisterAsync("lamp-1", type: "lamp", group: "late");
        var package = await UploadAsync(installation, "2.0.0");
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(_content)), package.Sha256);

        using var downloads = new HttpClient();
        await using var first = await AgentTests.StartAsync(installation, "pi-1", o => o with { UpdateKey = installation.Manager.UpdateKey, Downloads = downloads });
        await using var second = await AgentTests.StartAsync(installation, "pi-2", o => o with { UpdateKey = installation.Manager.UpdateKey, Downloads = downloads });
        var ended = await EndOfAsync(installation, await StartAsync(installation, package, ["early", "late", "nobody"]));

        Assert.Equal(RolloutState.Done, ended.State);
        Assert.Equal(("2.0.0", "2.0.0"), (first.State.Software, second.State.Software));
        await Wait.Until(async () => (await installation.DeviceAsync("pi-2")).Software == "2.0.0");
        Assert.Null((await installation.DeviceAsync("lamp-1")).Software);
    }

    [Fact]
    [Trait("Requirement", "R70")]
    public async Task Where_too_many_of_a_group_fail_the_others_go_back_and_no_further_group_gets_it()
    {
        await using var installation = await Installation.StartAsync();
        await installation.RegisterAsync("pi-1", group: "early");
        await installation.RegisterAsync("pi-2", group: "early");
        await installation.RegisterAsync("pi-3", group: "late");
        var package = await UploadAsync(installation, "2.0.0");
        using var downloads = new HttpClient();
        await using var good = await AgentTests.StartAsync(installation, "pi-1", o => o with { UpdateKey = installation.Manager.UpdateKey, Downloads = downloads });
        await using var broken = await AgentTests.StartAsync(
            installation, "pi-2", o => o with { UpdateKey = installation.Manager.UpdateKey, Downloads = downloads, Starts = static _ => false });

        var ended = await EndOfAsync(installation, await StartAsync(installation, package, ["early", "late"]));

        Assert.Equal((RolloutState.RolledBack, 0), (ended.State, ended.Group));
        Assert.Equal(("1.0.0", "1.0.0"), (good.State.Software, broken.State.Software));
        Assert.Empty(await installation.GetAsync("v1/devices/pi-3/commands", WireJson.Default.ListCommandRecord));
        Assert.Contains("1 of 1 went back", ended.Detail, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Requirement", "R70")]
    public async Task A_package_is_given_to_those_only_who_were_told_its_path_and_as_long_as_the_rollout_goes_on()
    {
        await using var installation = await Installation.StartAsync();
        await installation.RegisterAsync("pi-1", group: "early");
        await using var fleet = await FakeFleet.StartAsync(installation.Bus, static _ => null);
        var package = await UploadAsync(installation, "2.0.0");
        var rollout = await StartAsync(installation, package, ["early"]);
        await Wait.Until(() => !fleet.Commands.IsEmpty);
        var arguments = fleet.Commands.First().Arguments!.Value;
        using var stranger = new HttpClient();

        Assert.Equal(_content, await stranger.GetByteArrayAsync(new Uri(arguments.GetProperty("url").GetString()!)));
        Assert.True(Verifies(installation.Manager.UpdateKey, arguments));
        using var guessed = await stranger.GetAsync(new Uri(installation.Manager.Address, $"v1/packages/{package.Id}/content/{new string('0', 64)}"));
        using var bare = await stranger.GetAsync(new Uri(installation.Manager.Address, $"v1/packages/{package.Id}/content"));
        Assert.Equal((HttpStatusCode.NotFound, HttpStatusCode.Unauthorized), (guessed.StatusCode, bare.StatusCode));

        using var cancelled = await installation.Olga.PostAsync(new Uri($"v1/rollouts/{rollout.Id}/cancel", UriKind.Relative), null);
        Assert.Equal(HttpStatusCode.OK, cancelled.StatusCode);
        using var over = await stranger.GetAsync(new Uri(arguments.GetProperty("url").GetString()!));
        Assert.Equal(HttpStatusCode.NotFound, over.StatusCode);
    }

    [Fact]
    public async Task Packages_that_are_too_long_or_wrongly_signed_are_not_kept_and_the_key_is_this_users_only()
    {
        using var makers = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        await using var installation = await Installation.StartAsync(o => o with { MaxPackageBytes = 200_000, MakersKey = makers.ExportSubjectPublicKeyInfoPem() });
        string right = Convert.ToBase64String(makers.SignHash(SHA256.HashData(_content)));

        Assert.Equal(413, await StatusAsync(installation, new byte[200_001], right));
        Assert.Equal(400, await StatusAsync(installation, [.. _content, 1], right));
        Assert.Equal(400, await StatusAsync(installation, _content, null));
        Assert.Equal(400, await StatusAsync(installation, [], right));
        Assert.Equal(201, await StatusAsync(installation, _content, right));

        Assert.Single(Directory.EnumerateFiles(Path.Combine(installation.Folder, "packages")));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(installation.Folder, "signing.pem")));
        }
    }

    private static bool Verifies(string publicKey, JsonElement arguments)
    {
        using var key = ECDsa.Create();
        key.ImportFromPem(publicKey);
        return key.VerifyHash(SHA256.HashData(_content), Convert.FromBase64String(arguments.GetProperty("signature").GetString()!));
    }

    private static async Task<int> StatusAsync(Installation installation, byte[] content, string? signature)
    {
        using var body = new ByteArrayContent(content);
        string more = signature is null ? "" : "&signature=" + Uri.EscapeDataString(signature);
        using var response = await installation.Olga.PostAsync(new Uri("v1/packages?type=pi&version=2.0.0" + more, UriKind.Relative), body);
        return (int)response.StatusCode;
    }

    private static async Task<PackageRecord> UploadAsync(Installation installation, string version)
    {
        using var body = new ByteArrayContent(_content);
        using var response = await installation.Olga.PostAsync(new Uri("v1/packages?type=pi&version=" + version, UriKind.Relative), body);
        return (await response.Content.ReadFromJsonAsync(WireJson.Default.PackageRecord))!;
    }

    private static Task<RolloutRecord> StartAsync(Installation installation, PackageRecord package, string[] groups) => Installation.PostAsync(
        installation.Olga, "v1/rollouts", new RolloutRequest(package.Id, groups), WireJson.Default.RolloutRequest, WireJson.Default.RolloutRecord);

    private static async Task<RolloutRecord> EndOfAsync(Installation installation, RolloutRecord rollout)
    {
        await Wait.Until(async () => (await installation.GetAsync("v1/rollouts/" + rollout.Id, WireJson.Default.RolloutRecord)).Ended is not null);
        return await installation.GetAsync("v1/rollouts/" + rollout.Id, WireJson.Default.RolloutRecord);
    }
}
