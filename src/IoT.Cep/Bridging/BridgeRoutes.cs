using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Where a bridge's messages go, by what they hold.</summary>
public sealed class BridgeRoutes
{
    private readonly List<BridgeRoute> _routes = [];

    /// <summary>Whether each route that takes a message passes it on. Default: no; the first one alone does.</summary>
    public bool TakeAll { get; set; }

    internal IReadOnlyList<BridgeRoute> Routes => _routes;

    internal BridgeRoute? Rest { get; private set; }

    internal bool DropsRest { get; private set; }

    /// <summary>Sends what fulfils a condition to a sink.</summary>
    /// <param name="takes">The condition. Asked more than once for a message: it must not count or remember anything.</param>
    /// <param name="to">Where it goes.</param>
    /// <param name="configure">Filters, maps topics and changes what this route passes; null passes all as they are.</param>
    /// <returns>The same routes.</returns>
    public BridgeRoutes When(Func<Message, bool> takes, ISink<Message> to, Action<BridgeOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(takes);
        _routes.Add(new BridgeRoute(takes, to, configure));
        return this;
    }

    /// <summary>Sends what no condition takes to a sink. Without it, and without <see cref="ElseDrop"/>, that is a dead letter.</summary>
    /// <param name="to">Where it goes.</param>
    /// <param name="configure">Filters, maps topics and changes what this route passes; null passes all as they are.</param>
    /// <returns>The same routes.</returns>
    /// <exception cref="InvalidOperationException">It was said before what becomes of the rest.</exception>
    public BridgeRoutes Else(ISink<Message> to, Action<BridgeOptions>? configure = null)
    {
        ThrowIfSaid();
        Rest = new BridgeRoute(static _ => true, to, configure);
        return this;
    }

    /// <summary>Drops what no condition takes; <see cref="RoutedBridge.Unrouted"/> counts it.</summary>
    /// <returns>The same routes.</returns>
    /// <exception cref="InvalidOperationException">It was said before what becomes of the rest.</exception>
    public BridgeRoutes ElseDrop()
    {
        ThrowIfSaid();
        DropsRest = true;
        return this;
    }

    private void ThrowIfSaid()
    {
        if (Rest is not null || DropsRest)
        {
            throw new InvalidOperationException("It was said before what becomes of the messages that no route takes: there is one Else.");
        }
    }
}

/// <summary>One route: its condition, its sink, and how it changes messages.</summary>
internal sealed class BridgeRoute
{
    internal BridgeRoute(Func<Message, bool> takes, ISink<Message> to, Action<BridgeOptions>? configure)
    {
        ArgumentNullException.ThrowIfNull(to);
        (Takes, To, Options) = (takes, to, new BridgeOptions());
        configure?.Invoke(Options);
    }

    internal Func<Message, bool> Takes { get; }

    internal ISink<Message> To { get; }

    internal BridgeOptions Options { get; }
}
