using System.Diagnostics;
using System.Text.Json;

using IoT.Reference.Contracts;
using IoT.Reference.Devices.Agent;
using IoT.Reference.Devices.Links;

namespace IoT.Reference.Devices.Tests;

/// <summary>An agent of either kind, at a bus: what both must do is asked of both alike.</summary>
internal sealed class RunningAgent : IAsyncDisposable
{
    public const string Device = "dev7";

    private readonly Process? _python;
    private readonly DeviceAgent? _agent;
    private readonly HttpClient? _http;
    private int _number;

    private RunningAgent(FakeBus bus, Process? python, DeviceAgent? agent, HttpClient? http) => (Bus, _python, _agent, _http) = (bus, python, agent, http);

    public FakeBus Bus { get; }

    public static async Task<RunningAgent> StartAsync(string kind, Func<AgentOptions, AgentOptions>? change = null)
    {
        FakeBus bus = await FakeBus.StartAsync();
        if (kind == "python")
        {
            string script = Path.Combine(Repository(), "samples", "ReferenceArchitecture", "Devices", "scripts", "agent.py");
            var start = new ProcessStartInfo("python3", [script, bus.Address.ToString(), Device, "secret", "--type", "pi", "--interval", "3600"]) { RedirectStandardError = true };
            return new RunningAgent(bus, Process.Start(start), null, null);
        }

        var http = new HttpClient { BaseAddress = bus.Address };
        var options = new AgentOptions { Device = Device, Type = "pi", Location = (48.137, 11.575) };
        var agent = new DeviceAgent(
            change?.Invoke(options) ?? options, new HttpLink(Device, "secret", http, asks: true, new Random(1), TimeProvider.System));
        await agent.StartAsync(CancellationToken.None);
        return new RunningAgent(bus, null, agent, http);
    }

    /// <summary>Gives a command, and waits for its answer; an answer that only says that it has begun is passed over.</summary>
    public async Task<CommandAck> DoAsync(string name, object? arguments = null, TimeSpan? left = null, string? id = null)
    {
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        id ??= "c" + ++_number;
        Bus.Command(new DeviceCommand(id, Device, name, arguments is null ? null : JsonSerializer.SerializeToElement(arguments), now, now + (left ?? TimeSpan.FromMinutes(5))));
        CommandAck ack;
        do
        {
            ack = await Bus.AckAsync();
        }
        while (ack.Outcome == CommandOutcome.Accepted);
        Assert.Equal(id, ack.Id);
        return ack;
    }

    public async ValueTask DisposeAsync()
    {
        if (_python is not null)
        {
            _python.Kill();
            await _python.WaitForExitAsync();
            _python.Dispose();
        }

        if (_agent is not null)
        {
            await _agent.DisposeAsync();
        }

        _http?.Dispose();
        await Bus.DisposeAsync();
    }

    private static string Repository()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "IoT.Cep.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new DirectoryNotFoundException("IoT.Cep.sln is in no folder above the tests.");
    }
}
