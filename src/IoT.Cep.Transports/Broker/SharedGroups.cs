using MQTTnet.Protocol;

namespace IoT.Cep;

/// <summary>One of a group of sessions that share what a filter takes.</summary>
/// <param name="ClientId">Its client.</param>
/// <param name="Granted">The highest QoS that it gets.</param>
/// <param name="Identifier">Its subscription's identifier; 0: none.</param>
/// <param name="RetainAsPublished">Whether it is told that a message was retained.</param>
internal sealed record SharedMember(string ClientId, MqttQualityOfServiceLevel Granted, uint Identifier, bool RetainAsPublished);

/// <summary>The sessions that subscribed to the same <c>$share/name/filter</c>: each message goes to one of them, in turn.</summary>
/// <param name="filter">Which topics.</param>
internal sealed class SharedGroup(MqttFilter filter)
{
    // Copied when it changes: it is looked at for each message.
    private volatile SharedMember[] _members = [];
    private uint _turn;

    internal bool IsEmpty => _members.Length == 0;

    internal bool Takes(string topic) => filter.Takes(topic);

    /// <summary>Whether the client is one of them.</summary>
    /// <param name="clientId">The client.</param>
    internal bool Has(string clientId) => Array.Exists(_members, m => m.ClientId == clientId);

    internal void Add(SharedMember member) => _members = [.. _members.Where(m => m.ClientId != member.ClientId), member];

    internal void Remove(string clientId) => _members = [.. _members.Where(m => m.ClientId != clientId)];

    /// <summary>Whose turn it is: of those that are connected and have room, else of those that are connected, else of all.</summary>
    /// <param name="rank">How well a member may take a message; the least is the best.</param>
    /// <returns>Null: there is none.</returns>
    internal SharedMember? Next(Func<SharedMember, int> rank)
    {
        var members = _members;
        uint turn = Interlocked.Increment(ref _turn);
        SharedMember? best = null;
        int bestRank = int.MaxValue;
        for (uint i = 0; i < members.Length && bestRank > 0; i++)
        {
            var member = members[(turn + i) % (uint)members.Length];
            int itsRank = rank(member);
            (best, bestRank) = itsRank < bestRank ? (member, itsRank) : (best, bestRank);
        }

        return best;
    }
}

/// <summary>The groups of a broker, by what was subscribed to. Any thread.</summary>
internal sealed class SharedGroups
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, SharedGroup> _groups = new(StringComparer.Ordinal);

    // Copied when it changes.
    private volatile SharedGroup[] _all = [];

    internal SharedGroup[] All => _all;

    /// <summary>A session joins a group, which is made where it is the first.</summary>
    /// <param name="filter">The filter, <c>$share</c> included.</param>
    /// <param name="member">The session.</param>
    internal void Join(string filter, SharedMember member)
    {
        lock (_gate)
        {
            if (!_groups.TryGetValue(filter, out var group))
            {
                string taken = filter;
                MqttTopic.TakeShareName(ref taken);
                group = new SharedGroup(MqttFilter.Parse(taken));
                _groups.Add(filter, group);
                _all = [.. _groups.Values];
            }

            group.Add(member);
        }
    }

    /// <returns>Whether it was in the group.</returns>
    internal bool Leave(string filter, string clientId)
    {
        lock (_gate)
        {
            if (!_groups.TryGetValue(filter, out var group) || !group.Has(clientId))
            {
                return false;
            }

            group.Remove(clientId);
            Tidy();
            return true;
        }
    }

    /// <summary>A session has ended.</summary>
    /// <param name="clientId">Its client.</param>
    internal void LeaveAll(string clientId)
    {
        if (_all.Length == 0)
        {
            return;
        }

        lock (_gate)
        {
            foreach (var group in _groups.Values)
            {
                group.Remove(clientId);
            }

            Tidy();
        }
    }

    private void Tidy()
    {
        foreach (var (filter, group) in _groups)
        {
            if (group.IsEmpty)
            {
                // The one kind of change that a dictionary allows while it is read.
                _groups.Remove(filter);
            }
        }

        _all = [.. _groups.Values];
    }
}
