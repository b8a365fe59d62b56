namespace IoT.Cep;

/// <summary>A command on its way to devices; shared by all that get it.</summary>
/// <param name="Topic">Its topic, in UTF-8.</param>
/// <param name="Payload">Its payload.</param>
/// <param name="IsAcknowledged">Whether it was sent with QoS 1.</param>
internal sealed record Command(byte[] Topic, byte[] Payload, bool IsAcknowledged);

/// <summary>The commands that wait for a client, and those that it has not acknowledged.</summary>
internal sealed partial class IngestSession
{
    /// <summary>Commands under way to one client: hides the network's delay, and a device with little memory can still hold them.</summary>
    private const int MostUnacknowledged = 16;

    private Queue<(Command Command, bool IsAcknowledged)>? _waiting;

    // In the order in which they were sent, which is the order in which they are sent again.
    private List<(ushort PacketId, Command Command)>? _sent;
    private Dictionary<string, bool>? _filters;
    private ushort _lastId;
    private TaskCompletionSource? _commandsRoom;

    /// <summary>Its filters, and whether commands come with QoS 1. The caller holds the endpoint's tree.</summary>
    internal Dictionary<string, bool> Filters => _filters ??= [];

    /// <summary>Whether it has ended: a subscription that comes late must not bring it back.</summary>
    internal bool IsForgotten { get; set; }

    internal bool HasFilters => _filters is { Count: > 0 };

    /// <summary>When the oldest command was sent that is not acknowledged, in the endpoint's milliseconds; 0: there is none.</summary>
    internal long UnacknowledgedSince { get; private set; }

    /// <summary>Puts a command into its queue.</summary>
    /// <param name="command">The command.</param>
    /// <param name="isAcknowledged">Whether this client gets it with QoS 1.</param>
    /// <returns>False where the queue is full, or the client is away and would get it with QoS 0.</returns>
    internal bool TrySend(Command command, bool isAcknowledged)
    {
        lock (Gate)
        {
            if ((Connection is null && !isAcknowledged) || (_waiting?.Count ?? 0) >= _endpoint.Options.MaxCommandsPerClient)
            {
                return false;
            }

            (_waiting ??= new()).Enqueue((command, isAcknowledged));
            Pump();
            return true;
        }
    }

    /// <summary>Completes when there may be room for a command; null where the client is away and nothing will make room.</summary>
    internal Task? CommandsRoomAsync()
    {
        lock (Gate)
        {
            if (Connection is null)
            {
                return null;
            }

            _commandsRoom ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if ((_waiting?.Count ?? 0) < _endpoint.Options.MaxCommandsPerClient)
            {
                CommandsRoomChanged();
                return Task.CompletedTask;
            }

            return _commandsRoom.Task;
        }
    }

    /// <summary>The connection is there: what it did not acknowledge is sent again, and then what has gathered.</summary>
    internal void Resume()
    {
        lock (Gate)
        {
            if (Connection is { } connection && _sent is { Count: > 0 })
            {
                foreach (var (packetId, command) in _sent)
                {
                    connection.Output.Publish(command, packetId, isRepeated: true);
                }

                UnacknowledgedSince = _endpoint.Now;
            }

            Pump();
        }
    }

    /// <summary>The client has a command.</summary>
    internal void Acknowledged(ushort packetId)
    {
        lock (Gate)
        {
            int index = _sent?.FindIndex(sent => sent.PacketId == packetId) ?? -1;
            if (index >= 0)
            {
                _sent!.RemoveAt(index);
                _endpoint.CountCommandAcknowledged();
                UnacknowledgedSince = _sent.Count > 0 ? _endpoint.Now : 0;
                Pump();
            }
        }
    }

    /// <summary>There is room in the connection's output again.</summary>
    internal void PumpCommands()
    {
        lock (Gate)
        {
            Pump();
        }
    }

    /// <summary>The session ends; what waited is counted.</summary>
    internal int DropCommands()
    {
        lock (Gate)
        {
            int dropped = (_waiting?.Count ?? 0) + (_sent?.Count ?? 0);
            _waiting = null;
            _sent = null;
            CommandsRoomChanged();
            return dropped;
        }
    }

    private void Pump()
    {
        if (Connection is not { IsOpen: true } connection || _waiting is null)
        {
            return;
        }

        int most = Math.Min(MostUnacknowledged, connection.CommandsAtOnce);
        bool any = false;
        while (_waiting.TryPeek(out var next) && !connection.Output.IsFull && !(next.IsAcknowledged && _sent?.Count >= most))
        {
            _waiting.Dequeue();
            any = true;
            ushort packetId = next.IsAcknowledged ? NextId() : (ushort)0;
            if (!connection.Output.Publish(next.Command, packetId, isRepeated: false))
            {
                // Larger than the client takes: it is as if it had been delivered (MQTT 5, 3.1.2.11.4).
                _endpoint.CountCommandsDropped(1);
                continue;
            }

            if (next.IsAcknowledged)
            {
                (_sent ??= []).Add((packetId, next.Command));
                UnacknowledgedSince = UnacknowledgedSince == 0 ? _endpoint.Now : UnacknowledgedSince;
            }
        }

        if (any)
        {
            CommandsRoomChanged();
        }
    }

    private ushort NextId()
    {
        do
        {
            _lastId = _lastId == ushort.MaxValue ? (ushort)1 : (ushort)(_lastId + 1);
        }
        while (_sent is not null && _sent.Exists(sent => sent.PacketId == _lastId));
        return _lastId;
    }

    private void CommandsRoomChanged()
    {
        _commandsRoom?.TrySetResult();
        _commandsRoom = null;
    }
}

/// <summary>Who has subscribed to what: levels of filters as a tree, so that a command costs as much as its topic has levels, however many clients there are.</summary>
internal sealed class CommandTree
{
    private readonly Lock _gate = new();
    private readonly Node _root = new();

    private sealed class Node
    {
        internal Dictionary<string, Node>? Children;
        internal Dictionary<IngestSession, bool>? Sessions;

        internal bool IsEmpty => Children is not { Count: > 0 } && Sessions is not { Count: > 0 };
    }

    /// <summary>Subscribes a client, or changes its subscription.</summary>
    /// <returns>False where it has as many as it may.</returns>
    internal bool Add(IngestSession session, string filter, bool isAcknowledged, int most)
    {
        lock (_gate)
        {
            if (session.IsForgotten || (!session.Filters.ContainsKey(filter) && session.Filters.Count >= most))
            {
                return false;
            }

            session.Filters[filter] = isAcknowledged;
            var node = _root;
            foreach (string level in filter.Split('/'))
            {
                node.Children ??= [];
                node = node.Children.TryGetValue(level, out var known) ? known : node.Children[level] = new Node();
            }

            (node.Sessions ??= [])[session] = isAcknowledged;
            return true;
        }
    }

    /// <returns>Whether the client had that subscription.</returns>
    internal bool Remove(IngestSession session, string filter)
    {
        lock (_gate)
        {
            if (!session.HasFilters || !session.Filters.Remove(filter))
            {
                return false;
            }

            Remove(_root, filter.Split('/'), 0, session);
            return true;
        }
    }

    internal void RemoveAll(IngestSession session)
    {
        lock (_gate)
        {
            session.IsForgotten = true;
            if (!session.HasFilters)
            {
                return;
            }

            foreach (string filter in session.Filters.Keys)
            {
                Remove(_root, filter.Split('/'), 0, session);
            }

            session.Filters.Clear();
        }
    }

    /// <summary>Who gets a command; a client with several filters that take it gets it once, with the highest QoS of them.</summary>
    internal void Find(string topic, Dictionary<IngestSession, bool> found)
    {
        lock (_gate)
        {
            Find(_root, topic.Split('/'), 0, found);
        }
    }

    private static void Find(Node node, string[] levels, int at, Dictionary<IngestSession, bool> found)
    {
        // "a/#" takes "a" as well; at the first level a wildcard does not take what begins with $ (MQTT 5, 4.7.2), and no command does.
        if (node.Children is not null && node.Children.TryGetValue("#", out var rest))
        {
            Take(rest, found);
        }

        if (at == levels.Length)
        {
            Take(node, found);
            return;
        }

        if (node.Children is not null && node.Children.TryGetValue(levels[at], out var exact))
        {
            Find(exact, levels, at + 1, found);
        }

        if (node.Children is not null && node.Children.TryGetValue("+", out var any))
        {
            Find(any, levels, at + 1, found);
        }
    }

    private static void Take(Node node, Dictionary<IngestSession, bool> found)
    {
        foreach (var (session, isAcknowledged) in node.Sessions ?? [])
        {
            found[session] = isAcknowledged || (found.TryGetValue(session, out bool known) && known);
        }
    }

    private static void Remove(Node node, string[] levels, int at, IngestSession session)
    {
        if (at == levels.Length)
        {
            node.Sessions?.Remove(session);
            return;
        }

        if (node.Children is not null && node.Children.TryGetValue(levels[at], out var child))
        {
            Remove(child, levels, at + 1, session);
            if (child.IsEmpty)
            {
                node.Children.Remove(levels[at]);
            }
        }
    }
}
