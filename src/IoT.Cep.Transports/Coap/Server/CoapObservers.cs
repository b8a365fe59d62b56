using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Who observes: a request's token at an endpoint.</summary>
/// <param name="Link">What it is connected by.</param>
/// <param name="Remote">The endpoint.</param>
/// <param name="Token">The token.</param>
internal readonly record struct CoapObserverKey(ICoapLink Link, CoapRemote Remote, CoapToken Token);

/// <summary>
/// The observers of one resource (RFC 7641). Each has one notification under way at most; what changes meanwhile is told by the next one, so a slow observer
/// misses states in between and never the last one, and holds nothing up.
/// </summary>
/// <param name="notification">Makes the notification of the current state, for the request that the observer registered by.</param>
/// <param name="isConfirmable">Whether notifications want an acknowledgement each; otherwise one in a while.</param>
/// <param name="capacity">How many observers at most; further ones get the state once.</param>
/// <param name="time">The clock.</param>
internal sealed class CoapObservers(Func<CoapObserverKey, CoapMessage, uint, CoapMessage> notification, bool isConfirmable, int capacity, TimeProvider time)
{
    /// <summary>An observer that never answers is found out within this time (RFC 7641, 4.5 asks for a day at most).</summary>
    private static readonly TimeSpan _checkEvery = TimeSpan.FromMinutes(1);

    private const uint SequenceMask = 0xFFFFFF;

    private readonly Lock _gate = new();
    private readonly Dictionary<CoapObserverKey, Observer> _observers = [];
    private uint _sequence = 1;

    internal int Count
    {
        get
        {
            lock (_gate)
            {
                return _observers.Count;
            }
        }
    }

    /// <summary>The number of the state that a notification or a registration's response shows.</summary>
    internal uint Sequence
    {
        get
        {
            lock (_gate)
            {
                return _sequence;
            }
        }
    }

    /// <summary>Adds an observer; one with its key is replaced. False: there are too many.</summary>
    /// <param name="key">Who.</param>
    /// <param name="registration">Its request.</param>
    internal bool TryAdd(CoapObserverKey key, CoapMessage registration)
    {
        lock (_gate)
        {
            if (_observers.TryGetValue(key, out var known))
            {
                known.Registration = registration;
                return true;
            }

            if (_observers.Count >= capacity)
            {
                return false;
            }

            _observers.Add(key, new Observer(key, registration) { CheckedAt = time.GetTimestamp() });
            return true;
        }
    }

    internal void Remove(CoapObserverKey key)
    {
        lock (_gate)
        {
            _observers.Remove(key);
        }
    }

    internal void RemoveAll(ICoapLink link, CoapRemote remote)
    {
        lock (_gate)
        {
            foreach (var key in _observers.Keys.Where(k => k.Link == link && k.Remote == remote).ToList())
            {
                _observers.Remove(key);
            }
        }
    }

    /// <summary>Some have to ask again, and are told so.</summary>
    /// <param name="whose">Which.</param>
    /// <param name="why">What they are told.</param>
    internal void End(Func<CoapObserverKey, bool> whose, CoapCode why)
    {
        List<CoapObserverKey> ended;
        lock (_gate)
        {
            ended = [.. _observers.Keys.Where(whose)];
            foreach (var key in ended)
            {
                _observers.Remove(key);
            }
        }

        foreach (var key in ended)
        {
            _ = key.Link.NotifyAsync(key.Remote, key.Token, CoapMessage.Error(why), isConfirmable: false);
        }
    }

    /// <summary>The state has changed: all are told.</summary>
    internal void Changed()
    {
        Observer[] all;
        lock (_gate)
        {
            _sequence = (_sequence + 1) & SequenceMask;
            all = [.. _observers.Values];
        }

        foreach (var observer in all)
        {
            bool begins;
            lock (_gate)
            {
                begins = !observer.IsSending;
                observer.IsChanged = !begins;
                observer.IsSending = true;
            }

            if (begins)
            {
                _ = SendAsync(observer);
            }
        }
    }

    private async Task SendAsync(Observer observer)
    {
        while (true)
        {
            bool wantsAnswer = isConfirmable || time.GetElapsedTime(observer.CheckedAt) >= _checkEvery;
            var message = notification(observer.Key, observer.Registration, Sequence);
            var delivery = await observer.Key.Link.NotifyAsync(observer.Key.Remote, observer.Key.Token, message, wantsAnswer).ConfigureAwait(false);
            lock (_gate)
            {
                observer.CheckedAt = wantsAnswer ? time.GetTimestamp() : observer.CheckedAt;
                bool isOver = delivery is CoapDelivery.Rejected or CoapDelivery.Failed || !message.Code.IsSuccess();
                if (isOver)
                {
                    if (_observers.GetValueOrDefault(observer.Key) == observer)
                    {
                        _observers.Remove(observer.Key);
                    }

                    return;
                }

                if (!observer.IsChanged || !_observers.ContainsKey(observer.Key))
                {
                    observer.IsSending = false;
                    return;
                }

                observer.IsChanged = false;
            }
        }
    }

    private sealed class Observer(CoapObserverKey key, CoapMessage registration)
    {
        internal CoapObserverKey Key => key;

        internal CoapMessage Registration { get; set; } = registration;

        internal bool IsSending { get; set; }

        internal bool IsChanged { get; set; }

        internal long CheckedAt { get; set; }
    }
}
