using System.Collections.Concurrent;
using System.Net.Http.Json;
using IoT.Reference.Contracts;
using Xunit.Abstractions;

namespace IoT.Reference.Identity;

public sealed class FleetTests(ITestOutputHelper output)
{
    private const int Devices = 1_000;

    [Fact]
    [Trait("Requirement", "R38")]
    public async Task A_fleet_gets_secrets_tokens_and_decisions_in_one_go()
    {
        await using var site = await RunningIdentity.StartAsync();
        await using var access = await TokenTests.StartAccessAsync(site);
        string manager = await site.ServiceTokenAsync("device-manager");
        string[] names = [.. Enumerable.Range(0, Devices).Select(i => "dev-" + i)];
        var secrets = new ConcurrentDictionary<string, string>();
        int tokens = 0;

        await MeasureAsync("secrets", names, async name => secrets[name] = (await site.ReadAsync(
            HttpMethod.Post, "v1/credentials", manager, WireJson.Default.IssuedCredential, JsonContent.Create(new CredentialRequest(name, SubjectKind.Device), WireJson.Default.CredentialRequest))).Secret);
        await MeasureAsync("resources", names, async name =>
        {
            using var response = await site.SendAsync(HttpMethod.Put, "v1/resources/" + name, manager, new ResourceFacts("alice"), WireJson.Default.ResourceFacts);
            response.EnsureSuccessStatusCode();
        });
        await MeasureAsync("tokens", names, async name =>
        {
            if (await site.MachineTokenAsync(name, secrets[name]) is not null)
            {
                Interlocked.Increment(ref tokens);
            }
        });
        var subject = new Subject("alice", SubjectKind.Person, Scopes.OfPeople);
        long from = TimeProvider.System.GetTimestamp();
        bool[] mine = await access.FilterAsync(subject, Actions.Read, [.. Enumerable.Range(0, 10 * Devices).Select(i => "device:dev-" + i)]);
        output.WriteLine($"decisions: {mine.Length / TimeProvider.System.GetElapsedTime(from).TotalSeconds:n0} a second over HTTP");

        Assert.Equal(Devices, secrets.Values.Distinct().Count());
        Assert.Equal(Devices, tokens);
        Assert.Equal(Devices, mine.Count(m => m));
    }

    private async Task MeasureAsync(string what, string[] names, Func<string, Task> work)
    {
        long from = TimeProvider.System.GetTimestamp();
        await Parallel.ForEachAsync(names, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (name, _) => await work(name));
        output.WriteLine($"{what}: {names.Length / TimeProvider.System.GetElapsedTime(from).TotalSeconds:n0} a second");
    }
}
