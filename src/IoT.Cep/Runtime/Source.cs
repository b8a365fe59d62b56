using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Makes sources.</summary>
public static class Source
{
    /// <summary>A source whose messages come from a transport and are decoded into events.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="transport">The transport.</param>
    /// <param name="decoder">The decoder.</param>
    public static ISource<T> FromTransport<T>(ITransport transport, Decoder<T> decoder)
    {
        ArgumentNullException.ThrowIfNull(transport);
        ArgumentNullException.ThrowIfNull(decoder);
        return new TransportSource<T>(transport, decoder);
    }

    private sealed class TransportSource<T>(ITransport transport, Decoder<T> decoder) : ISource<T>
    {
        public string Name => transport.Name;

        public bool IsBounded => false;

        public Task RunAsync(SourceWriter<T> writer, ConnectionContext context, CancellationToken stop) =>
            transport.RunAsync(writer.Decode(decoder), context, stop);
    }
}
