namespace IoT.Cep;

/// <summary>Keeps each identity within its limits: a bucket of messages that fills at the average rate, and counts of what is open. Bounded: quiet identities are forgotten.</summary>
/// <param name="limits">How much each may ask.</param>
/// <param name="maxPrincipals">How many are kept count of.</param>
/// <param name="clock">The clock.</param>
internal sealed class PrincipalGate(PrincipalLimits limits, int maxPrincipals, TimeProvider clock)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Account> _accounts = new(StringComparer.Ordinal);
    private readonly Account _local = new(null, clock);

    internal PrincipalLimits Limits => limits;

    /// <summary>An identity's account; null where there is no room for one more. Programs on this machine that need not say who they are have one without limits.</summary>
    internal Account? Find(Identity identity, bool isLocal)
    {
        if (isLocal && identity.Method == AuthenticationMethod.None)
        {
            return _local;
        }

        lock (_gate)
        {
            if (_accounts.TryGetValue(identity.Name, out var known))
            {
                return known;
            }

            if (_accounts.Count >= maxPrincipals)
            {
                Forget();
            }

            return _accounts.Count >= maxPrincipals ? null : _accounts[identity.Name] = new Account(limits, clock);
        }
    }

    private void Forget()
    {
        foreach (var (name, account) in _accounts)
        {
            if (account.IsQuiet)
            {
                _accounts.Remove(name);
            }
        }
    }

    /// <summary>What one identity has used.</summary>
    internal sealed class Account
    {
        private readonly Lock _gate = new();
        private readonly PrincipalLimits? _limits;
        private readonly TimeProvider _clock;
        private double _left;
        private long _filled;
        private int _inFlight;
        private int _connections;

        internal Account(PrincipalLimits? limits, TimeProvider clock)
        {
            (_limits, _clock, _left, _filled) = (limits, clock, limits?.Burst ?? 0, clock.GetTimestamp());
        }

        internal bool IsQuiet
        {
            get
            {
                lock (_gate)
                {
                    Fill();
                    return _inFlight == 0 && _connections == 0 && (_limits is null || _left >= _limits.Burst);
                }
            }
        }

        /// <summary>Takes messages out of the bucket, which must hold at least one; what is taken beyond it is owed.</summary>
        /// <returns>Zero, or how long to wait.</returns>
        internal TimeSpan Take(int messages)
        {
            if (_limits is null)
            {
                return TimeSpan.Zero;
            }

            lock (_gate)
            {
                Fill();
                if (_left < 1)
                {
                    return TimeSpan.FromSeconds((1 - _left) / _limits.MessagesPerSecond);
                }

                _left -= messages;
                return TimeSpan.Zero;
            }
        }

        /// <summary>One more request that waits for its acknowledgement.</summary>
        internal bool TryBegin() => _limits is null || TryCount(ref _inFlight, _limits.MaxInFlight);

        internal void End() => Uncount(ref _inFlight);

        /// <summary>One more connection that stays: a WebSocket, a stream of events, a long poll.</summary>
        internal bool TryConnect() => _limits is null || TryCount(ref _connections, _limits.MaxConnections);

        internal void Disconnect() => Uncount(ref _connections);

        private bool TryCount(ref int count, int most)
        {
            lock (_gate)
            {
                if (count >= most)
                {
                    return false;
                }

                count++;
                return true;
            }
        }

        private void Uncount(ref int count)
        {
            if (_limits is not null)
            {
                lock (_gate)
                {
                    count--;
                }
            }
        }

        private void Fill()
        {
            if (_limits is not null)
            {
                long now = _clock.GetTimestamp();
                _left = Math.Min(_limits.Burst, _left + (_clock.GetElapsedTime(_filled, now).TotalSeconds * _limits.MessagesPerSecond));
                _filled = now;
            }
        }
    }
}
