using System.Buffers;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>A transport whose messages are there already: what remains is the way from a message's bytes on.</summary>
internal sealed class PreparedTransport(Payloads payloads, int count) : ITransport
{
    public string Name => "prepared";

    public async Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        receiver.ConnectionChanged(connected: true);
        for (int i = 0; i < count; i++)
        {
            var received = receiver.ReceiveAsync(new Payload(new ReadOnlySequence<byte>(payloads[i]), "weather"));
            if (!received.IsCompletedSuccessfully)
            {
                await received;
            }
        }
    }
}
