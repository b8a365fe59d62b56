using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Holds the acknowledgements of a source's messages, in order, until every durable sink that they reach without an operator with state has
/// committed them. Without such a sink they are accepted when they have been processed.
/// </summary>
internal sealed class AckTracker(Action<Exception>? failed = null)
{
    private readonly Lock _gate = new();
    private readonly Queue<(long Number, IAcknowledger Acknowledger, object Delivery)> _waiting = new();
    private readonly List<Sink> _sinks = [];
    private readonly List<AckTracker> _partitions = [];
    private long _processed;
    private long _newest;
    private bool _releasing;
    private bool _isClosed;

    /// <summary>How many messages wait for a commit, those of partitions included.</summary>
    internal int Waiting
    {
        get
        {
            lock (_gate)
            {
                return _waiting.Count + _partitions.Sum(partition => partition.Waiting);
            }
        }
    }

    /// <summary>Messages of a partition are in an order of their own: one that waits for the others holds none of theirs up.</summary>
    internal AckTracker OpenPartition()
    {
        var partition = new AckTracker(failed);
        lock (_gate)
        {
            _sinks.ForEach(partition.AddPart);
            _partitions.Add(partition);
        }

        return partition;
    }

    /// <summary>What waits for a commit still gets it.</summary>
    internal void ClosePartition(AckTracker partition)
    {
        lock (_gate)
        {
            partition._isClosed = true;
            foreach (var ended in _partitions.FindAll(p => p._isClosed && p.Waiting == 0))
            {
                _partitions.Remove(ended);
                _sinks.ForEach(sink => sink.Parts.RemoveAll(part => part.Tracker == ended));
            }
        }
    }

    /// <summary>A durable sink that has to commit first.</summary>
    internal Sink AddSink(Action<Sink, long> mark)
    {
        var sink = new Sink(this, mark);
        lock (_gate)
        {
            sink.Committed = _processed;
            _sinks.Add(sink);
            _partitions.ForEach(partition => partition.AddPart(sink));
        }

        return sink;
    }

    internal void RemoveSink(Sink sink)
    {
        Sink[] parts;
        lock (_gate)
        {
            _sinks.Remove(sink);
            parts = [.. sink.Parts];
        }

        foreach (var part in parts)
        {
            part.Tracker.RemoveSink(part);
        }

        Release();
    }

    internal void Add(IAcknowledger acknowledger, object delivery)
    {
        lock (_gate)
        {
            _waiting.Enqueue((++_newest, acknowledger, delivery));
        }
    }

    /// <summary>All messages so far have been through the queries; each sink is told how far that is, behind what it was given.</summary>
    internal void OnProcessed()
    {
        Sink[] sinks;
        lock (_gate)
        {
            if (_newest == _processed)
            {
                return;
            }

            _processed = _newest;
            sinks = [.. _sinks];
        }

        foreach (var sink in sinks)
        {
            sink.Mark(_processed);
        }

        Release();
    }

    private void AddPart(Sink sink) => sink.Parts.Add(AddSink((part, number) => sink.MarkPart(part, number)));

    private void Release()
    {
        while (true)
        {
            (long Number, IAcknowledger Acknowledger, object Delivery) next;
            lock (_gate)
            {
                // One thread at a time, so that acknowledgements go out in order.
                if (_releasing || _waiting.Count == 0 || _waiting.Peek().Number > Committed())
                {
                    return;
                }

                _releasing = true;
                next = _waiting.Dequeue();
            }

            try
            {
                next.Acknowledger.Acknowledge(next.Delivery);
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                // Against its contract. The sender delivers it again; the ones behind it must not wait for it.
                failed?.Invoke(error);
            }
            finally
            {
                lock (_gate)
                {
                    _releasing = false;
                }
            }
        }
    }

    private long Committed()
    {
        long committed = _processed;
        foreach (var sink in _sinks)
        {
            committed = Math.Min(committed, sink.Committed);
        }

        return committed;
    }

    internal sealed class Sink(AckTracker tracker, Action<Sink, long> mark)
    {
        internal AckTracker Tracker => tracker;

        /// <summary>The same sink, where partitions wait for it.</summary>
        internal List<Sink> Parts { get; } = [];

        internal long Committed { get; set; }

        internal void Mark(long number) => mark(this, number);

        internal void MarkPart(Sink part, long number) => mark(part, number);

        internal void Commit(long number)
        {
            lock (tracker._gate)
            {
                Committed = Math.Max(Committed, number);
            }

            tracker.Release();
        }
    }
}
