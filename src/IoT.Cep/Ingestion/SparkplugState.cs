namespace IoT.Cep;

/// <summary>A node, or a device behind one, and the name of both.</summary>
internal sealed record SparkplugSource(SparkplugNode Node, string? Device, string Path)
{
    /// <summary>What was told last of each member of an event type; null where nothing was.</summary>
    internal SparkplugEntry[]? Members { get; set; }

    /// <summary>A bit for each of them that was told.</summary>
    internal ulong Told { get; set; }
}

/// <summary>A metric as it stands in a payload.</summary>
internal struct SparkplugEntry
{
    internal SparkplugValue Value;
    internal double Number;
    internal long Whole;
    internal bool IsHistorical;

    // Whether a number is a float.
    internal bool IsReal;
    internal bool IsNull;
    internal bool HasAlias;
    internal bool HasName;
    internal ulong Alias;
    internal ulong DataType;
    internal long Ticks;
    internal string Name;
    internal string Text;

    // Where the value stands: which field of the metric, and its bits.
    internal int ValueField;
    internal ulong Bits;
}

/// <summary>What is known of an edge node since its birth.</summary>
internal sealed class SparkplugNodeState(SparkplugNode node)
{
    private readonly Dictionary<ulong, (string? Device, string Name, ulong DataType)> _aliases = [];
    private readonly Dictionary<string, Dictionary<string, ulong>> _metrics = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SparkplugSource> _sources = new(StringComparer.Ordinal);
    private int _count;

    internal SparkplugNode Node => node;

    internal bool IsBorn { get; set; }

    /// <summary>When it was last asked for a rebirth that has not come; 0 where it was not.</summary>
    internal long RebirthAskedTicks { get; set; }

    internal int NextSequence { get; set; } = -1;

    internal ulong? BirthSequence { get; set; }

    internal long LastTicks { get; set; }

    /// <summary>What counts against the limit: metrics and devices, or aliases where a birth gives a metric several.</summary>
    internal int Count => Math.Max(_aliases.Count, _count + _metrics.Count);

    internal void Forget()
    {
        _aliases.Clear();
        _metrics.Clear();
        _sources.Clear();
        _count = 0;
        IsBorn = false;
        NextSequence = -1;
    }

    internal void ForgetDevice(string device)
    {
        _sources.Remove(device);
        if (_metrics.Remove(device, out var metrics))
        {
            _count -= metrics.Count;
        }

        foreach (var (alias, known) in _aliases)
        {
            if (known.Device == device)
            {
                _aliases.Remove(alias);
            }
        }
    }

    internal bool HasDevice(string? device) => _metrics.ContainsKey(device ?? "");

    internal void Begin(string? device)
    {
        ForgetDevice(device ?? "");
        _metrics[device ?? ""] = new(StringComparer.Ordinal);
    }

    internal void Add(string? device, in SparkplugEntry entry)
    {
        if (_metrics[device ?? ""].TryAdd(entry.Name, entry.DataType))
        {
            _count++;
        }

        if (entry.HasAlias)
        {
            _aliases[entry.Alias] = (device ?? "", entry.Name, entry.DataType);
        }
    }

    /// <summary>Gives a metric the name and the type that its birth told.</summary>
    internal bool TryResolve(string? device, ref SparkplugEntry entry)
    {
        if (entry.HasName)
        {
            if (entry.DataType == 0 && _metrics.TryGetValue(device ?? "", out var known) && known.TryGetValue(entry.Name, out ulong type))
            {
                entry.DataType = type;
            }

            return true;
        }

        if (!entry.HasAlias || !_aliases.TryGetValue(entry.Alias, out var metric) || metric.Device != (device ?? ""))
        {
            return false;
        }

        entry.Name = metric.Name;
        entry.DataType = entry.DataType == 0 ? metric.DataType : entry.DataType;
        return true;
    }

    /// <summary>The node and all of its devices with their metrics, or one device.</summary>
    internal IEnumerable<(string? Device, IReadOnlyCollection<string> Metrics)> Born(string? device, bool all)
    {
        foreach (var (owner, metrics) in _metrics)
        {
            if (all || owner == (device ?? ""))
            {
                yield return (owner.Length == 0 ? null : owner, metrics.Keys);
            }
        }
    }

    internal SparkplugSource SourceOf(string? device)
    {
        string key = device ?? "";
        if (!_sources.TryGetValue(key, out var source))
        {
            source = new SparkplugSource(node, device, device is null ? $"{node.Group}/{node.Node}" : $"{node.Group}/{node.Node}/{device}");

            // Devices that were never born have no end: their names are not kept.
            if (HasDevice(device))
            {
                _sources.Add(key, source);
            }
        }

        return source;
    }
}

/// <summary>The nodes that are known: as many as the options allow, the silent ones first to go.</summary>
internal sealed class SparkplugNodes(SparkplugOptions options)
{
    private readonly Dictionary<SparkplugNode, LinkedListNode<SparkplugNodeState>> _known = [];

    // The one that spoke last stands last.
    private readonly LinkedList<SparkplugNodeState> _order = new();

    internal int Count => _known.Count;

    internal SparkplugNodeState Touch(SparkplugNode node, long now)
    {
        while (_order.First is { } oldest && oldest.Value.LastTicks < now - options.ForgetAfter.Ticks)
        {
            Remove(oldest);
        }

        if (!_known.TryGetValue(node, out var place))
        {
            if (_known.Count == options.MaxNodes)
            {
                Remove(_order.First!);
            }

            _known.Add(node, place = new LinkedListNode<SparkplugNodeState>(new SparkplugNodeState(node)));
        }
        else
        {
            _order.Remove(place);
        }

        _order.AddLast(place);
        place.Value.LastTicks = now;
        return place.Value;
    }

    private void Remove(LinkedListNode<SparkplugNodeState> place)
    {
        _order.Remove(place);
        _known.Remove(place.Value.Node);
    }
}
