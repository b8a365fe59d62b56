using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

using IoT.Reference.Contracts;
using IoT.Reference.Devices.Agent;
using IoT.Reference.Devices.Links;

namespace IoT.Reference.Host.Tour;

/// <summary>Who walks through the installation: four people, and a device of their own.</summary>
internal sealed class Visit : IAsyncDisposable
{
    /// <summary>The device that the tour sends with; it belongs to alice.</summary>
    public const string Device = "tour-1";

    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    private readonly MqttLink _link;

    private Visit(Installation installation, Dictionary<string, Person> people, string secret, MqttLink link, DeviceAgent agent, CancellationToken stop)
    {
        (Installation, People, Secret, Agent, Stop) = (installation, people, secret, agent, stop);
        _link = link;
    }

    public Installation Installation { get; }

    public LayerAddresses At => Installation.Addresses;

    public Dictionary<string, Person> People { get; }

    public Person Alice => People["alice"];

    public Person Bob => People["bob"];

    public Person Olga => People["olga"];

    public Person Ada => People["ada"];

    /// <summary>The secret of the tour's device.</summary>
    public string Secret { get; set; }

    public DeviceAgent Agent { get; }

    public CancellationToken Stop { get; }

    public static async Task<Visit> BeginAsync(Installation installation, CancellationToken stop)
    {
        var people = new Dictionary<string, Person>(StringComparer.Ordinal);
        foreach ((string name, string password) in installation.Identity.FirstPasswords)
        {
            people[name] = await Person.LogInAsync(installation.Addresses.Identity, name, password, stop);
        }

        Registered registered = await people["olga"].PostAsync(
            installation.Addresses.DeviceManager, "/v1/devices", new RegisterRequest(Device, "pi", "alice", "canary"), WireJson.Default.RegisterRequest, WireJson.Default.Registered, stop);
        var link = new MqttLink(Device, registered.Secret, installation.Bus.Mqtt, isSmall: false, new Random(7), TimeProvider.System);
        var agent = new DeviceAgent(
            new AgentOptions
            {
                Device = Device,
                Type = "pi",
                UpdateKey = installation.DeviceManager.UpdateKey,
                Downloads = new HttpClient(),
                Location = (48.137, 11.575),
                Starts = static version => !version.EndsWith("-broken", StringComparison.Ordinal),
            },
            link);
        await agent.StartAsync(stop);
        return new Visit(installation, people, registered.Secret, link, agent, stop);
    }

    /// <summary>Fails the station unless something is so.</summary>
    public static void Check(bool isSo, string otherwise)
    {
        if (!isSo)
        {
            throw new TourException(otherwise);
        }
    }

    /// <summary>A reading of the tour's device, by MQTT.</summary>
    public Task SendAsync(double celsius) =>
        _link.SendAsync(Topics.Of(Topics.Telemetry, Device), Encoding.UTF8.GetBytes(FormattableString.Invariant($$"""{"temperature":{{celsius}}}""")), "application/json", Stop);

    /// <summary>What the device noticed, by MQTT.</summary>
    public Task NoticeAsync(DeviceEvent what) =>
        _link.SendAsync(Topics.Of(Topics.Events, Device), JsonSerializer.SerializeToUtf8Bytes(what, WireJson.Default.DeviceEvent), "application/json", Stop);

    /// <summary>The status of something that a person asks the portal's API for.</summary>
    public Task<HttpStatusCode> StatusAsync(Person person, HttpMethod method, string path, HttpContent? body = null) => person.StatusAsync(method, At.Portal, path, body, Stop);

    /// <summary>Looks again and again until something is so.</summary>
    /// <exception cref="TourException">It does not become so in half a minute.</exception>
    public async Task<T> UntilAsync<T>(Func<Task<T>> look, Func<T, bool> isSo, string what)
    {
        long began = TimeProvider.System.GetTimestamp();
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (true)
        {
            T seen = await look();
            if (isSo(seen))
            {
                return seen;
            }

            if (TimeProvider.System.GetElapsedTime(began) > _patience)
            {
                throw new TourException($"{what} did not happen within {_patience.TotalSeconds} s; seen last: {Show(seen)}");
            }

            await looks.WaitForNextTickAsync(Stop);
        }
    }

    // Lists and records print themselves; a null says that nothing was found.
    private static string Show<T>(T seen) => seen is System.Collections.IEnumerable and not string ? string.Join("; ", ((System.Collections.IEnumerable)seen).Cast<object>()) : seen?.ToString() ?? "nothing";

    /// <summary>Gives a command by the API, and waits until it is where a command ends.</summary>
    public async Task<CommandRecord> CommandAsync(Person person, string path, HttpContent? body)
    {
        using HttpResponseMessage answer = await person.SendAsync(HttpMethod.Post, At.DeviceManager, path, body, Stop);
        await Person.EnsureAsync(answer, Stop);
        CommandRecord command = (await answer.Content.ReadFromJsonAsync(WireJson.Default.CommandRecord, Stop))!;
        return await UntilAsync(
            async () => (await person.GetAsync(At.DeviceManager, $"/v1/devices/{command.Device}/commands?limit=100", WireJson.Default.ListCommandRecord, Stop)).Find(c => c.Id == command.Id) ?? command,
            static c => c.State is CommandState.Acked or CommandState.Failed or CommandState.Refused or CommandState.Expired,
            $"an answer to '{command.Name}'");
    }

    /// <summary>The latest alert of a rule about the tour's device.</summary>
    public async Task<AlertRecord> AlertAsync(string rule, Func<AlertRecord, bool> isIt)
    {
        var alerts = await UntilAsync(
            () => Alice.GetAsync(At.Portal, $"/api/v1/alerts?device={Device}", WireJson.Default.ListAlertRecord, Stop),
            list => list.Exists(a => a.Rule == rule && isIt(a)),
            $"an alert of '{rule}'");
        return alerts.Find(a => a.Rule == rule && isIt(a))!;
    }

    public async ValueTask DisposeAsync()
    {
        await Agent.DisposeAsync();
        foreach (Person person in People.Values)
        {
            person.Dispose();
        }
    }
}
