namespace IoT.Cep;

/// <summary>What the engine does with a source, whatever its event type.</summary>
internal interface IIngress
{
    string Name { get; }

    AckTracker Acknowledgements { get; }

    SourceStatistics Statistics { get; }

    /// <summary>Completes when a start need not wait for the source (any longer).</summary>
    Task Listening { get; }

    /// <summary>Runs the source until it ends or is stopped; then what it left waiting has been pushed.</summary>
    Task RunAsync(CancellationToken stop);

    /// <summary>Lets time go on where the source is idle.</summary>
    void Tick();

    /// <summary>Ends the input: windows fire, queries complete.</summary>
    void Complete();

    void Fail(Exception error);
}
