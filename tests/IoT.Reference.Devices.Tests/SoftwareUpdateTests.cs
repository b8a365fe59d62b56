using System.Security.Cryptography;

using IoT.Reference.Contracts;
using IoT.Reference.Devices.Agent;

using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace IoT.Reference.Devices.Tests;

[Trait("Requirement", "R24")]
public sealed class SoftwareUpdateTests : IAsyncLifetime, IDisposable
{
    private static readonly byte[] _package = [.. Enumerable.Range(0, 100_000).Select(i => (byte)i)];
    private readonly ECDsa _makers = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly HttpClient _downloads = new();
    private WebApplication _store = null!;

    public async Task InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _store = builder.Build();
        _store.MapGet("/package", () => Results.Bytes(_package));
        await _store.StartAsync();
    }

    public async Task DisposeAsync()
    {
        await _store.DisposeAsync();
    }

    public void Dispose()
    {
        _makers.Dispose();
        _downloads.Dispose();
    }

    [Fact]
    public async Task A_signed_package_is_installed_and_can_be_taken_back()
    {
        await using RunningAgent agent = await StartAsync();

        CommandAck done = await agent.DoAsync("update", Update());
        CommandAck back = await agent.DoAsync("rollback");
        CommandAck none = await agent.DoAsync("rollback");

        Assert.Equal((CommandOutcome.Done, CommandOutcome.Done, CommandOutcome.Failed), (done.Outcome, back.Outcome, none.Outcome));
    }

    [Theory]
    [InlineData("hash", "the package's hash is another one")]
    [InlineData("signature", "the package's signature does not hold")]
    [InlineData("signer", "the package's signature does not hold")]
    [InlineData("size", "and not 5")]
    [InlineData("huge", "bytes; 16777216 fit")]
    [InlineData("missing", "could not be loaded")]
    public async Task A_package_that_is_not_what_its_makers_signed_is_not_installed(string wrong, string detail)
    {
        using var others = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        await using RunningAgent agent = await StartAsync();

        CommandAck ack = await agent.DoAsync("update", wrong switch
        {
            "hash" => Update(sha256: new string('0', 64)),
            "signature" => Update(signature: Convert.ToBase64String(new byte[64])),
            "signer" => Update(signature: Convert.ToBase64String(others.SignHash(SHA256.HashData(_package)))),
            "size" => Update(size: 5),
            "huge" => Update(size: 1L << 40),
            _ => Update(path: "/nothing"),
        });

        Assert.Equal(CommandOutcome.Failed, ack.Outcome);
        Assert.Contains(detail, ack.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("type", "the package is for 'fridge'")]
    [InlineData("address", "'url' must be https")]
    public async Task An_update_that_makes_no_sense_is_refused(string wrong, string detail)
    {
        await using RunningAgent agent = await StartAsync();

        CommandAck ack = await agent.DoAsync("update", wrong == "type" ? Update(type: "fridge") : Update() with { url = "http://packages.example/1" });

        Assert.Equal((CommandOutcome.Refused, detail), (ack.Outcome, ack.Detail));
    }

    [Fact]
    public async Task A_version_that_does_not_start_leaves_the_old_one_running()
    {
        await using RunningAgent agent = await StartAsync(o => o with { Starts = version => version != "2.0.0" });

        CommandAck ack = await agent.DoAsync("update", Update());

        Assert.Equal((CommandOutcome.Failed, "2.0.0 does not start; 1.0.0 runs on"), (ack.Outcome, ack.Detail));
    }

    private Task<RunningAgent> StartAsync(Func<AgentOptions, AgentOptions>? change = null) => RunningAgent.StartAsync("csharp", o =>
    {
        o = o with { UpdateKey = _makers.ExportSubjectPublicKeyInfoPem(), Downloads = _downloads };
        return change?.Invoke(o) ?? o;
    });

    private UpdateArguments Update(string type = "pi", string? sha256 = null, string? signature = null, long? size = null, string path = "/package")
    {
        byte[] hash = SHA256.HashData(_package);
        return new UpdateArguments(
            type, "2.0.0", _store.Urls.First() + path, sha256 ?? Convert.ToHexStringLower(hash), signature ?? Convert.ToBase64String(_makers.SignHash(hash)), size ?? _package.Length);
    }

    // As they are written in the command.
    private sealed record UpdateArguments(string type, string version, string url, string sha256, string signature, long size);
}
