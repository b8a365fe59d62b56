using IoT.Reference.Contracts;

namespace IoT.Reference.Portal;

/// <summary>The pages in a real Chromium, each scenario a script of browser/; pictures in artifacts/screenshots.</summary>
public sealed class BrowserTests
{
    private static readonly Lazy<Task<string>> _folder = new(InstallAsync);

    [BrowserFact]
    [Trait("Requirement", "R40")]
    public async Task Every_page_is_accessible_and_fits_in_light_and_dark_on_desktop_and_phone()
    {
        await using var portal = await RunningPortal.StartAsync(o => o with { RequestsPerSecond = 500 });
        await RunAsync(portal, "looks.mjs");
        Assert.Equal(26, Directory.GetFiles(Pictures, "*.png").Length);
    }

    [BrowserFact]
    [Trait("Requirement", "R81")]
    public async Task Owner_logs_in_finds_a_device_commands_it_shares_it_acknowledges_and_logs_out()
    {
        await using var portal = await RunningPortal.StartAsync(o => o with { RequestsPerSecond = 500 });
        await RunAsync(portal, "owner.mjs");
        Assert.Equal(1, portal.Upstream.Count("POST /manager/v1/devices/pi-1/commands"));
        Assert.Equal(1, portal.Upstream.Count("POST /manager/v1/devices/pi-1/lock"));
        Assert.Equal(1, portal.Upstream.Count("POST /identity/v1/shares"));
        Assert.Equal("alice", portal.Upstream.Alerts["a0"].AcknowledgedBy);
    }

    [BrowserFact]
    [Trait("Requirement", "R82")]
    public async Task Charts_alerts_and_counters_move_by_themselves()
    {
        await using var portal = await RunningPortal.StartAsync(o => o with { RequestsPerSecond = 500 });
        await RunAsync(portal, "live.mjs", line =>
        {
            if (line == "waiting for an alert")
            {
                portal.Upstream.Raise(new AlertRecord(
                    "new", "pi-2", "overheating", Severity.Critical, AlertState.Raised, "Raised while somebody looks", 35, TimeProvider.System.GetUtcNow()));
            }
        });
    }

    private static string Pictures => Path.Combine(Programs.Root, "artifacts", "screenshots");

    private static async Task RunAsync(RunningPortal portal, string script, Action<string>? line = null)
    {
        string folder = await _folder.Value;
        var variables = new Dictionary<string, string>
        {
            ["PORTAL"] = portal.Address.AbsoluteUri.TrimEnd('/'),
            ["PICTURES"] = Pictures,
            ["CHROMIUM"] = NeedsHere.Chromium ?? "chromium",
        };
        string output = await Programs.RunAsync("node", [Path.Combine(folder, script)], folder, variables, line);
        Assert.Contains("passed", output, StringComparison.Ordinal);
    }

    // What drives the browser is installed beside the other artifacts, once for each state of the lock file and of the scripts.
    private static async Task<string> InstallAsync()
    {
        string folder = Path.Combine(Programs.Root, "artifacts", "browser-tests");
        Directory.CreateDirectory(folder);
        string from = File.ReadAllText(Path.Combine(Programs.Folder, "package-lock.json")), installed = Path.Combine(folder, "node_modules", "installed-lock.json");
        foreach (string file in Directory.GetFiles(Programs.Folder))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
        }

        if (!File.Exists(installed) || File.ReadAllText(installed) != from)
        {
            await Programs.RunAsync(OperatingSystem.IsWindows() ? "npm.cmd" : "npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder);
            File.WriteAllText(installed, from);
        }

        return folder;
    }
}
