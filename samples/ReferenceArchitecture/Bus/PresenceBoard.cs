using System.Collections.Concurrent;
using System.Text.Json;
using System.Threading.Channels;

using IoT.Cep;
using IoT.Reference.Contracts;

namespace IoT.Reference.Bus;

/// <summary>Says on <c>presence/{device}</c> who is connected by MQTT: retained, so that who asks later knows it at once. A gateway's presence is its own; what is behind it shows by its readings.</summary>
internal sealed class PresenceBoard : IAsyncDisposable
{
    private readonly MqttBroker _broker;
    private readonly IDisposable _changes;
    private readonly Task _saying;

    // One waiting entry for a device, however often it comes and goes: what counts is how it is now.
    private readonly ConcurrentDictionary<string, Presence> _latest = new(StringComparer.Ordinal);
    private readonly Channel<string> _changed = Channel.CreateUnbounded<string>(new UnboundedChannelOptions { SingleReader = true });

    public PresenceBoard(MqttBroker broker)
    {
        _broker = broker;
        _changes = broker.ClientChanges.Subscribe(Note);
        _saying = SayAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _changes.Dispose();
        _changed.Writer.TryComplete();
        await _saying;
    }

    private void Note(MqttClientChange change)
    {
        string device = change.Identity.Name;
        if (change.Identity.Claims.GetValueOrDefault(Claims.Kind) != "device" || !DeviceIds.IsValid(device))
        {
            return;
        }

        bool isNew = true;
        _latest.AddOrUpdate(
            device, _ => Of(change), (_, _) =>
            {
                isNew = false;
                return Of(change);
            });
        if (isNew)
        {
            _changed.Writer.TryWrite(device);
        }
    }

    private static Presence Of(MqttClientChange change) => new(change.Identity.Name, change.IsConnected, "mqtt", change.Time);

    private async Task SayAsync()
    {
        await foreach (string device in _changed.Reader.ReadAllAsync())
        {
            if (_latest.TryRemove(device, out Presence? presence))
            {
                byte[] body = JsonSerializer.SerializeToUtf8Bytes(presence, WireJson.Default.Presence);
                await _broker.PublishAsync(Topics.Of(Topics.Presence, device), body, MqttQualityOfService.AtLeastOnce, retained: true);
            }
        }
    }
}
