using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Passes messages from one transport to another: <c>cep.Bridge(Mqtt.Subscribe("plant/#", Message.Decode()), Mqtt.PublishMessages(connection: "cloud"))</c>. A message is
/// acknowledged to its sender when the other side has it, where that side can tell (a durable sink).
/// </summary>
public sealed class Bridge
{
    private readonly BridgeOptions _options;
    private readonly string _name;
    private long _passed;
    private long _filtered;
    private long _returned;

    internal Bridge(IEventStream<Message> messages, string from, ISink<Message> to, BridgeOptions options)
    {
        ArgumentException.ThrowIfNullOrEmpty(options.ViaHeader, nameof(options.ViaHeader));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxHops, 1, nameof(options.MaxHops));
        if (options.Name is { } given && (given.Length == 0 || given.AsSpan().ContainsAny(',', ' ') || SafeText.Escape(given) != given))
        {
            throw new ArgumentException($"The bridge's name '{SafeText.Escape(given)}' stands in a list: it must have neither commas, spaces nor control characters.", nameof(options));
        }

        _options = options;
        _name = options.Name ?? Guid.NewGuid().ToString("N")[..12];
        string query = options.Name is null ? $"bridge {from} to {to.Name}" : $"bridge {options.Name}: {from} to {to.Name}";
        Query = messages.Select(Pass).Where(m => m is not null).Select(m => m!).To(to, query, options.OnError);
    }

    /// <summary>The query that it is.</summary>
    public Query Query { get; }

    /// <summary>How many messages were passed on to the sink.</summary>
    public long Passed => Interlocked.Read(ref _passed);

    /// <summary>How many the filter, the mapping or the transformation did not let pass.</summary>
    public long Filtered => Interlocked.Read(ref _filtered);

    /// <summary>How many had passed this bridge before, and were dropped.</summary>
    public long Returned => Interlocked.Read(ref _returned);

    private Message? Pass(Message message)
    {
        string via = message.Header(_options.ViaHeader) ?? "";
        int hops = 0;
        foreach (var part in via.AsSpan().Split(','))
        {
            var name = via.AsSpan(part).Trim();
            if (name.SequenceEqual(_name))
            {
                Interlocked.Increment(ref _returned);
                return null;
            }

            hops += name.IsEmpty ? 0 : 1;
        }

        if (hops >= _options.MaxHops)
        {
            throw new InvalidOperationException($"The message has passed {hops} bridges; {_options.MaxHops} are allowed. Do they form a ring? '{SafeText.Escape(via, 128)}'");
        }

        if (Change(message) is not { } changed)
        {
            Interlocked.Increment(ref _filtered);
            return null;
        }

        Interlocked.Increment(ref _passed);
        return changed.WithHeader(_options.ViaHeader, hops == 0 ? _name : $"{via},{_name}");
    }

    private Message? Change(Message message)
    {
        if (_options.Where is { } passes && !passes(message))
        {
            return null;
        }

        var changed = message;
        if (_options.Maps.Count > 0)
        {
            string? topic = null;
            for (int i = 0; topic is null && i < _options.Maps.Count; i++)
            {
                topic = _options.Maps[i].Map(message.Topic);
            }

            if (topic is null)
            {
                return null;
            }

            changed = message with { Topic = topic };
        }

        return _options.Transform is { } transform ? transform(changed) : changed;
    }
}

/// <summary>Declares bridges.</summary>
public static class BridgeExtensions
{
    /// <summary>Passes messages from one transport to another.</summary>
    /// <param name="cep">Where queries are declared.</param>
    /// <param name="from">The messages; decode them by <see cref="Message.Decode"/>.</param>
    /// <param name="to">Where they go.</param>
    /// <param name="configure">Filters, maps topics and changes messages; null passes all as they are.</param>
    /// <returns>The bridge, with its counters.</returns>
    public static Bridge Bridge(this ICep cep, ISource<Message> from, ISink<Message> to, Action<BridgeOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(cep);
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(to);
        var options = new BridgeOptions();
        configure?.Invoke(options);
        return new Bridge(cep.From(from), from.Name, to, options);
    }

    /// <summary>Passes messages from one transport to several others, by what they hold: the first route that takes a message passes it on.</summary>
    /// <param name="cep">Where queries are declared.</param>
    /// <param name="from">The messages; decode them by <see cref="Message.Decode"/>.</param>
    /// <param name="routes">Says where they go.</param>
    /// <returns>The routes, with their counters.</returns>
    /// <exception cref="ArgumentException">There is no route.</exception>
    public static RoutedBridge Bridge(this ICep cep, ISource<Message> from, Action<BridgeRoutes> routes)
    {
        ArgumentNullException.ThrowIfNull(cep);
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(routes);
        var declared = new BridgeRoutes();
        routes(declared);
        return new RoutedBridge(cep.From(from), from.Name, declared);
    }
}
