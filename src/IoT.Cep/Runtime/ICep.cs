using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Where queries are declared: inside <c>services.AddCep(cep =&gt; ...)</c>, or on a <c>CepEngine</c> of one's own.</summary>
public interface ICep
{
    /// <summary>Begins a stream at a source. One source is one connection, however many queries read the stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The source.</param>
    IEventStream<T> From<T>(ISource<T> source);

    /// <summary>Named connection options; transports and stores add to it (<c>cep.Mqtt(o =&gt; ...)</c>, <c>cep.Sqlite(file)</c>).</summary>
    Connections Connections { get; }
}
