using System.Threading.Channels;
using IoT.Cep;
using IoT.Reference.Access;
using IoT.Reference.Contracts;

namespace IoT.Reference.Bus;

/// <summary>A device that observes a resource of the bus by CoAP, by a token of its own.</summary>
internal sealed class Observing : IAsyncDisposable
{
    private readonly CepEngine _engine = new();
    private readonly Channel<string> _states = Channel.CreateUnbounded<string>();

    internal static async Task<Observing> StartAsync(Uri resource, FakeIssuer issuer, string id)
    {
        var observing = new Observing();
        observing._engine.Coap(o => (o.Token, o.ReconnectMin, o.ReconnectMax) =
            (_ => new(issuer.Token(id, kind: SubjectKind.Device)), TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(100)));
        observing._engine.From(Coap.Observe(resource.AbsoluteUri, Message.Decode())).Subscribe(m => observing._states.Writer.TryWrite(m.Text));
        await observing._engine.StartAsync();
        return observing;
    }

    internal Task<string> NextAsync() => _states.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30));

    internal bool HasNone => !_states.Reader.TryPeek(out _);

    public ValueTask DisposeAsync() => _engine.DisposeAsync();
}
