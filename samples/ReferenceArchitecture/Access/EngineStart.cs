using IoT.Cep;

namespace IoT.Reference.Access;

/// <summary>An engine connects its sources while it runs. A layer that says "started" must hear what is sent from then on.</summary>
public static class EngineStart
{
    /// <summary>How long a start waits for the bus; it is not an error to be without it, and the sources go on trying.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan _between = TimeSpan.FromMilliseconds(10);

    /// <summary>Waits until every source of a started engine that reads from the bus is connected, or for <see cref="Patience"/>.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="stop">Gives up.</param>
    public static async Task ConnectedAsync(this CepEngine engine, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(engine);
        long began = TimeProvider.System.GetTimestamp();
        using var looks = new PeriodicTimer(_between);
        while (engine.Sources.Any(static s => !s.IsConnected && s.Name.StartsWith("mqtt ", StringComparison.Ordinal)) && TimeProvider.System.GetElapsedTime(began) < Patience)
        {
            await looks.WaitForNextTickAsync(stop);
        }
    }
}
