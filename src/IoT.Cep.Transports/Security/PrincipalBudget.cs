using System.Runtime.InteropServices;

namespace IoT.Cep;

/// <summary>What a principal asked too much of.</summary>
public enum PrincipalLimit
{
    /// <summary>Messages in a time: <see cref="PrincipalLimits.MessagesPerSecond"/> and <see cref="PrincipalLimits.Burst"/>.</summary>
    Messages,

    /// <summary>Different topics: <see cref="PrincipalLimits.MaxTopics"/>.</summary>
    Topics,

    /// <summary>Messages that wait for their acknowledgement: <see cref="PrincipalLimits.MaxInFlight"/>.</summary>
    InFlight,

    /// <summary>Connections: <see cref="PrincipalLimits.MaxConnections"/>.</summary>
    Connections,
}

/// <summary>
/// What one identity has used of its <see cref="PrincipalLimits"/>, over all its connections to all listeners of one <see cref="ListenerSecurity"/>, which hands it out:
/// <see cref="ListenerSecurity.BudgetOf"/>. Exact: counted in whole numbers under one short lock. No check allocates, except that a topic seen first makes its set grow.
/// </summary>
/// <remarks>Thread-safe.</remarks>
public sealed class PrincipalBudget
{
    private readonly Lock _gate = new();
    private readonly PrincipalLimits _limits;
    private readonly bool _isUnlimited;
    private readonly TimeProvider _time;
    private readonly Action<string, PrincipalLimit> _refused;

    // In parts of a message, of which the clock's frequency make one: whole numbers add up exactly at every rate.
    private readonly long _fullTokens;
    private readonly long _hour;
    private long _tokens;
    private long _refilled;

    // Keyed hashes of topics and when each was used last: a topic may have 65,535 bytes and its text is not needed.
    private readonly Dictionary<ulong, long> _topics = [];
    private long _nextSweep;
    private int _inFlight;
    private int _connections;
    private bool _isRemoved;

    internal PrincipalBudget(string name, PrincipalLimits limits, bool isUnlimited, TimeProvider time, Action<string, PrincipalLimit> refused)
    {
        (Name, _limits, _isUnlimited, _time, _refused) = (name, limits, isUnlimited, time, refused);
        _fullTokens = limits.Burst * time.TimestampFrequency;
        _hour = time.TimestampFrequency * 3600;
        _tokens = _fullTokens;
        _refilled = LastUsed = time.GetTimestamp();
    }

    /// <summary>The identity's name.</summary>
    public string Name { get; }

    /// <summary>Messages that were taken and are not acknowledged.</summary>
    public int InFlight
    {
        get
        {
            lock (_gate)
            {
                return _inFlight;
            }
        }
    }

    /// <summary>Connections now.</summary>
    public int Connections
    {
        get
        {
            lock (_gate)
            {
                return _connections;
            }
        }
    }

    /// <summary>When it was last asked for; the table forgets what nobody asks for.</summary>
    internal long LastUsed { get; private set; }

    /// <summary>Whether one more message may come now; if so, it is counted.</summary>
    public bool TryTakeMessage() => TryTakeMessage(out _);

    /// <summary>Whether one more message may come now; if so, it is counted.</summary>
    /// <param name="wait">When the next one may come: for a protocol that makes its sender wait, or tells it.</param>
    public bool TryTakeMessage(out TimeSpan wait) => TakeMessages(1, out wait) > 0;

    /// <summary>Counts as many messages as may come now, for a protocol whose sender sends many at once: one look for all of them.</summary>
    /// <param name="most">How many are wanted, at least 1.</param>
    /// <param name="wait">Where none may come: when the next one may.</param>
    /// <returns>How many may come, up to <paramref name="most"/>. <see cref="ReturnMessages"/> takes back those that do not.</returns>
    public int TakeMessages(int most, out TimeSpan wait)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        wait = TimeSpan.Zero;
        if (_isUnlimited)
        {
            return most;
        }

        lock (_gate)
        {
            Refill();
            int count = (int)Math.Min(most, _tokens / _time.TimestampFrequency);
            if (count > 0)
            {
                _tokens -= count * _time.TimestampFrequency;
                return count;
            }

            long missing = (_time.TimestampFrequency - _tokens + _limits.MessagesPerSecond - 1) / _limits.MessagesPerSecond;
            wait = TimeSpan.FromTicks(Math.Max(1, (long)Math.Ceiling(missing * ((double)TimeSpan.TicksPerSecond / _time.TimestampFrequency))));
        }

        _refused(Name, PrincipalLimit.Messages);
        return 0;
    }

    /// <summary>Takes back messages that were counted and did not come.</summary>
    /// <param name="count">How many.</param>
    public void ReturnMessages(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        lock (_gate)
        {
            _tokens = Math.Min(_fullTokens, _tokens + (count * _time.TimestampFrequency));
        }
    }

    /// <summary>Whether a message may go to a topic: it was used within the last hour, or there is room for one more.</summary>
    /// <param name="topic">The topic or path.</param>
    public bool TryUseTopic(ReadOnlySpan<char> topic)
    {
        if (_isUnlimited)
        {
            return true;
        }

        ulong hash = KeyedHash.Of(topic);
        lock (_gate)
        {
            long now = LastUsed = _time.GetTimestamp();
            ref long used = ref CollectionsMarshal.GetValueRefOrNullRef(_topics, hash);
            if (!System.Runtime.CompilerServices.Unsafe.IsNullRef(ref used))
            {
                used = now;
                return true;
            }

            if (_topics.Count >= _limits.MaxTopics)
            {
                ForgetTopics(now);
            }

            if (_topics.Count < _limits.MaxTopics)
            {
                _topics.Add(hash, now);
                return true;
            }
        }

        _refused(Name, PrincipalLimit.Topics);
        return false;
    }

    /// <summary>Whether one more message may be under way; if so, it is counted until <see cref="EndMessage"/>.</summary>
    public bool TryBeginMessage() => BeginMessages(1) > 0;

    /// <summary>Counts as many messages as may be under way, until <see cref="EndMessages"/>: one look for all of them.</summary>
    /// <param name="most">How many are wanted, at least 1.</param>
    /// <returns>How many were counted, up to <paramref name="most"/>.</returns>
    public int BeginMessages(int most)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        lock (_gate)
        {
            int count = _isUnlimited ? most : Math.Min(most, _limits.MaxInFlight - _inFlight);
            if (count > 0)
            {
                _inFlight += count;
                return count;
            }
        }

        _refused(Name, PrincipalLimit.InFlight);
        return 0;
    }

    /// <summary>A message that was begun is acknowledged, or given up.</summary>
    public void EndMessage() => EndMessages(1);

    /// <summary>Messages that were begun are acknowledged, or given up.</summary>
    /// <param name="count">How many.</param>
    public void EndMessages(int count)
    {
        lock (_gate)
        {
            System.Diagnostics.Debug.Assert(count >= 0 && _inFlight >= count, "Each message that ends was begun.");
            _inFlight -= count;
        }
    }

    /// <summary>Whether one more connection may be open; if so, it is counted until <see cref="EndConnection"/>. False too where this budget was forgotten.</summary>
    internal bool? TryBeginConnection(bool isCounted)
    {
        lock (_gate)
        {
            if (_isRemoved)
            {
                return null;
            }

            if (_isUnlimited || !isCounted || _connections < _limits.MaxConnections)
            {
                _connections++;
                LastUsed = _time.GetTimestamp();
                return true;
            }
        }

        _refused(Name, PrincipalLimit.Connections);
        return false;
    }

    /// <summary>A connection that was begun is closed.</summary>
    internal void EndConnection()
    {
        lock (_gate)
        {
            System.Diagnostics.Debug.Assert(_connections > 0, "Each connection that ends was begun.");
            _connections--;
            LastUsed = _time.GetTimestamp();
        }
    }

    internal void Touch()
    {
        lock (_gate)
        {
            LastUsed = _time.GetTimestamp();
        }
    }

    /// <summary>Gives it up if nobody has used it since a time: a principal that comes back begins anew.</summary>
    /// <param name="before">The time.</param>
    internal bool TryRemove(long before)
    {
        lock (_gate)
        {
            return _isRemoved = _isRemoved || (_connections == 0 && _inFlight == 0 && LastUsed <= before);
        }
    }

    private void Refill()
    {
        long now = LastUsed = _time.GetTimestamp();
        long elapsed = now - _refilled;
        _refilled = now;

        // A long silence fills it whole; multiplying first could overflow.
        long missing = _fullTokens - _tokens;
        _tokens = elapsed > missing / _limits.MessagesPerSecond ? _fullTokens : _tokens + (elapsed * _limits.MessagesPerSecond);
    }

    private void ForgetTopics(long now)
    {
        // Uses only move forward: before the oldest one's hour is over, looking again finds nothing.
        if (now < _nextSweep)
        {
            return;
        }

        long oldest = now;
        foreach (var (hash, used) in _topics)
        {
            if (now - used >= _hour)
            {
                // Removing does not disturb a dictionary's enumeration.
                _topics.Remove(hash);
            }
            else
            {
                oldest = Math.Min(oldest, used);
            }
        }

        _nextSweep = oldest + _hour;
    }
}
