using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Passes messages from one transport to several others, by what they hold.</summary>
public sealed class RoutedBridge
{
    private readonly BridgeRoutes _routes;
    private long _unrouted;
    private Message? _lastUnrouted;

    internal RoutedBridge(IEventStream<Message> messages, string from, BridgeRoutes routes)
    {
        if (routes.Routes.Count == 0)
        {
            throw new ArgumentException("The bridge has no route: add one by When(...).", nameof(routes));
        }

        _routes = routes;
        var bridges = new List<Bridge>();
        for (int i = 0; i < routes.Routes.Count; i++)
        {
            int own = i;
            bridges.Add(new Bridge(messages.Where(m => Takes(m, own)), from, routes.Routes[i].To, routes.Routes[i].Options));
        }

        if (routes.Rest is { } rest)
        {
            bridges.Add(new Bridge(messages.Where(IsUnrouted), from, rest.To, rest.Options));
        }
        else
        {
            messages.Where(m => IsUnrouted(m) && GiveUp(m)).To(new DeadEnd(), $"bridge {from} to nowhere", ErrorPolicy.Skip);
        }

        Routes = bridges;
    }

    /// <summary>The routes in the order in which they were declared, that of the rest last; each with its counters.</summary>
    public IReadOnlyList<Bridge> Routes { get; }

    /// <summary>How many messages no condition took.</summary>
    public long Unrouted => Interlocked.Read(ref _unrouted);

    /// <summary>Whether a message is a route's own. Each route asks the same conditions in the same order, so a condition that throws lets none have it: <see cref="IsUnrouted"/> tells of it, once.</summary>
    private bool Takes(Message message, int route)
    {
        bool isOwn = false;
        try
        {
            for (int i = 0; i < _routes.Routes.Count; i++)
            {
                bool isTaken = _routes.Routes[i].Takes(message);
                isOwn |= isTaken && i == route;
                if (isTaken && !_routes.TakeAll)
                {
                    return isOwn;
                }
            }
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return false;
        }

        return isOwn;
    }

    private bool IsUnrouted(Message message)
    {
        bool isTaken = false;
        for (int i = 0; i < _routes.Routes.Count && (!isTaken || _routes.TakeAll); i++)
        {
            isTaken |= _routes.Routes[i].Takes(message);
        }

        // A query asks again for the event that failed: it is counted once.
        if (!isTaken && !ReferenceEquals(message, _lastUnrouted))
        {
            _lastUnrouted = message;
            Interlocked.Increment(ref _unrouted);
        }

        return !isTaken;
    }

    /// <summary>What an exception says here stands in the dead letter.</summary>
    private bool GiveUp(Message message) => _routes.DropsRest ? false
        : throw new InvalidOperationException($"No route takes the message to '{SafeText.Escape(message.Topic, 128)}'.");

    /// <summary>Where nothing arrives: a query needs an end.</summary>
    private sealed class DeadEnd : IInlineSink<Message>
    {
        public string Name => "nowhere";

        public void Write(in Batch<Message> batch)
        {
        }
    }
}
