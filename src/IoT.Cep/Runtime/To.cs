using IoT.Cep.Extensibility;

namespace IoT.Cep;

public static partial class EventStreamExtensions
{
    /// <summary>Ends a query in a sink and registers it with the engine at whose source the stream began.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="sink">The sink.</param>
    /// <param name="name">The query's name in metrics and <c>Explain</c>; the sink's by default.</param>
    /// <param name="onError">What happens when the user's code throws; the engine's policy by default.</param>
    /// <exception cref="InvalidOperationException">The stream runs in place: subscribe to it.</exception>
    public static Query To<T>(this IEventStream<T> stream, ISink<T> sink, string? name = null, ErrorPolicy? onError = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(sink);
        var engine = stream.Node.Engine ?? throw new InvalidOperationException(
            "This stream began with ToEventStream and runs in place: Subscribe to it, or begin it with cep.From(...) to write to a sink.");
        return engine.Register(stream.Node, sink, name, onError);
    }
}
