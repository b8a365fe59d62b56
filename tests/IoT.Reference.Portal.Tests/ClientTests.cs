namespace IoT.Reference.Portal;

/// <summary>The API from programs in other languages: those of clients/, as they are.</summary>
public sealed class ClientTests
{
    [PythonFact]
    [Trait("Requirement", "R80")]
    public Task Python_reads_follows_commands_and_acknowledges() => TryAsync("python3", "client.py");

    [NodeFact]
    [Trait("Requirement", "R80")]
    public Task Node_reads_follows_commands_and_acknowledges() => TryAsync("node", "client.mjs");

    private static async Task TryAsync(string program, string script)
    {
        await using var portal = await RunningPortal.StartAsync();
        string secret = Path.Combine(portal.Folder, "secret.txt");
        await File.WriteAllTextAsync(secret, "app-secret\n");
        string output = await Programs.RunAsync(
            program,
            [Path.Combine(Programs.Clients, script), "--api", portal.Address.AbsoluteUri, "--identity", portal.Upstream.Addresses.Identity.AbsoluteUri, "--id", "app-1", "--secret-file", secret, "--device", "pi-1"]);
        Assert.Contains("devices 12", output, StringComparison.Ordinal);
        Assert.Contains("history pi-1", output, StringComparison.Ordinal);
        Assert.Equal(3, output.Split("live pi-1").Length - 1);
        Assert.Contains("command Acked", output, StringComparison.Ordinal);
        Assert.Contains("Acknowledged by app-1", output, StringComparison.Ordinal);
        Assert.Contains(portal.Upstream.Requests, r => r is { Request: "POST /manager/v1/devices/pi-1/commands", Subject: "app-1" });
    }
}
