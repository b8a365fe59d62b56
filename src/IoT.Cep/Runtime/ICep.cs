using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Where queries are declared: inside <c>services.AddCep(cep =&gt; ...)</c>, or on a <see cref="CepEngine"/> of one's own.</summary>
public interface ICep
{
    /// <summary>Begins a stream at a source. One source is one connection, however many queries read the stream.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The source.</param>
    /// <param name="configure">How it is run: what to do while the queries do not keep up, and limits.</param>
    IEventStream<T> From<T>(ISource<T> source, Action<SourceOptions>? configure = null);

    /// <summary>Named connection options; transports and stores add to it (<c>cep.Mqtt(o =&gt; ...)</c>, <c>cep.Sqlite(file)</c>).</summary>
    Connections Connections { get; }

    /// <summary>What could not be processed; <c>cep.From(cep.DeadLetters)</c> makes a stream of it.</summary>
    DeadLetters DeadLetters { get; }
}
