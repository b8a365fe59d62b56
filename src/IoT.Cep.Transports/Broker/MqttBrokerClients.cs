using System.Collections.Concurrent;
using System.Reactive.Subjects;

namespace IoT.Cep;

/// <summary>A client of a <see cref="MqttBroker"/> came or went.</summary>
/// <param name="ClientId">The name it gave itself: text from the network.</param>
/// <param name="Identity">Who it had proved to be.</param>
/// <param name="IsConnected">Whether it came; a client that takes its own session over comes once more without having gone.</param>
/// <param name="Time">When.</param>
public readonly record struct MqttClientChange(string ClientId, Identity Identity, bool IsConnected, DateTimeOffset Time);

// Who comes and goes.
public sealed partial class MqttBroker
{
    private readonly Subject<MqttClientChange> _changes = new();

    // Who is there, for when it goes: its connection may be forgotten before the session hears of it.
    private readonly ConcurrentDictionary<string, Identity> _present = new(StringComparer.Ordinal);

    /// <summary>
    /// Tells who comes and goes, from the subscription on. An observer is called on the connection's thread, several at a time, and must neither block nor throw.
    /// </summary>
    public IObservable<MqttClientChange> ClientChanges => _changes;

    private void Tell(string clientId, bool isConnected)
    {
        var identity = isConnected && _active.TryGetValue(clientId, out var connection) ? connection.Admission?.Identity : null;
        if (identity is not null)
        {
            _present[clientId] = identity;
        }
        else if (isConnected || !_present.TryRemove(clientId, out identity))
        {
            return;
        }

        _changes.OnNext(new MqttClientChange(clientId, identity, isConnected, _timeProvider.GetUtcNow()));
    }
}
