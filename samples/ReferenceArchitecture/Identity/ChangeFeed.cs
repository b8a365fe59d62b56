using System.Threading.Channels;
using IoT.Reference.Contracts;

namespace IoT.Reference.Identity;

/// <summary>
/// What decisions hang on has changed: told to all that listen, and to those that come back after a break as long as it is remembered. Bounded: the latest two thousand changes, a thousand waiting
/// for one listener; who is slower is cut off and comes back.
/// </summary>
internal sealed class ChangeFeed(TimeProvider time)
{
    private const int Remembered = 2_000, Waiting = 1_000, MaxListeners = 100;

    private readonly Lock _gate = new();
    private readonly Queue<Change> _latest = new(Remembered);
    private readonly List<Channel<Change>> _listeners = [];

    // Numbers of an earlier run are smaller: no thousand changes come in a millisecond for long.
    private long _number = time.GetUtcNow().ToUnixTimeMilliseconds();

    internal void Tell(string kind, string id, DateTimeOffset? at = null)
    {
        lock (_gate)
        {
            var change = new Change(++_number, kind, id, at ?? time.GetUtcNow());
            if (_latest.Count == Remembered)
            {
                _latest.Dequeue();
            }

            _latest.Enqueue(change);
            for (int i = _listeners.Count - 1; i >= 0; i--)
            {
                if (!_listeners[i].Writer.TryWrite(change))
                {
                    _listeners[i].Writer.TryComplete();
                    _listeners.RemoveAt(i);
                }
            }
        }
    }

    /// <summary>Begins to listen.</summary>
    /// <param name="last">The last number that was heard; null: none.</param>
    /// <param name="reset">The number from which it goes on, where something may be missing before; null: nothing is.</param>
    /// <returns>Null: too many listen.</returns>
    internal Channel<Change>? Listen(long? last, out long? reset)
    {
        lock (_gate)
        {
            reset = null;
            if (_listeners.Count >= MaxListeners)
            {
                return null;
            }

            var channel = Channel.CreateBounded<Change>(new BoundedChannelOptions(Remembered + Waiting) { SingleReader = true });
            bool isKnown = last == _number || (last is { } number && _latest.TryPeek(out var oldest) && number >= oldest.Number - 1 && number <= _number);
            if (isKnown)
            {
                foreach (var change in _latest.Where(c => c.Number > last))
                {
                    channel.Writer.TryWrite(change);
                }
            }
            else
            {
                reset = _number;
            }

            _listeners.Add(channel);
            return channel;
        }
    }

    internal void Leave(Channel<Change> channel)
    {
        lock (_gate)
        {
            _listeners.Remove(channel);
        }
    }

    /// <summary>The server ends: so do the streams.</summary>
    internal void End()
    {
        lock (_gate)
        {
            _listeners.ForEach(static l => l.Writer.TryComplete());
            _listeners.Clear();
        }
    }
}
