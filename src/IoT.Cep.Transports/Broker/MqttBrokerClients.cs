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

    /// <summary>
    /// Tells who comes and goes, from the subscription on. An observer is called on the connection's thread, several at a time, and must neither block nor throw.
    /// </summary>
    public IObservable<MqttClientChange> ClientChanges => _changes;

    private void Tell(string clientId, bool isConnected)
    {
        if (_changes.HasObservers && _active.TryGetValue(clientId, out var connection) && connection.Admission is { } admission)
        {
            _changes.OnNext(new MqttClientChange(clientId, admission.Identity, isConnected, _timeProvider.GetUtcNow()));
        }
    }
}
