using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Holds the acknowledgements of a source's messages, in order, until every durable sink that they reach without an operator with state has
/// committed them. Without such a sink they are accepted when they have been processed.
/// </summary>
internal sealed class AckTracker(Action<Exception>? failed = null)
{
    private readonly Lock _gate = new();
    private readonly Queue<Run> _waiting = new();
    private readonly List<Sink> _sinks = [];
    private readonly List<AckTracker> _partitions = [];
    // Messages since the last batch, of one delivery: they become a run in the queue when another one comes or the batch has been processed, so that no run is committed in parts.
    private Run _open;
    private long _processed;
    private long _newest;
    private long _released;
    private bool _releasing;
    private bool _isClosed;

    /// <summary>How many messages wait for a commit, those of partitions included.</summary>
    internal int Waiting
    {
        get
        {
            lock (_gate)
            {
                return (int)(_newest - _released) + _partitions.Sum(partition => partition.Waiting);
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
            _newest++;
            if (_open.Count > 0 && ReferenceEquals(_open.Delivery, delivery) && ReferenceEquals(_open.Acknowledger, acknowledger))
            {
                _open.Count++;
                return;
            }

            CloseRun(_newest - 1);
            _open = new Run { Acknowledger = acknowledger, Delivery = delivery, Count = 1 };
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

            CloseRun(_newest);
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
            Run next;
            lock (_gate)
            {
                // One thread at a time, so that acknowledgements go out in order.
                if (_releasing || _waiting.Count == 0 || _waiting.Peek().Number > Committed())
                {
                    return;
                }

                _releasing = true;
                next = _waiting.Dequeue();
                _released = next.Number;
            }

            try
            {
                if (next.Count == 1)
                {
                    next.Acknowledger.Acknowledge(next.Delivery);
                }
                else
                {
                    next.Acknowledger.AcknowledgeAll(next.Delivery, next.Count);
                }
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

    private void CloseRun(long number)
    {
        if (_open.Count > 0)
        {
            _open.Number = number;
            _waiting.Enqueue(_open);
            _open = default;
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

    /// <summary>Messages with one delivery, up to a number.</summary>
    private struct Run
    {
        internal long Number;
        internal IAcknowledger Acknowledger;
        internal object Delivery;
        internal int Count;
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
