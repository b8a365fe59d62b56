using System.Collections.Concurrent;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The sending end of a hop to another stage: copies what it is given into messages.</summary>
internal sealed class Hop<T>(Stage stage, Operator<T> target) : Operator<T>
{
    private const int MaxFreeMessages = 128;
    private readonly ConcurrentQueue<Message> _free = new();
    private bool _stopped;

    internal override void OnEvents(in Batch<T> batch)
    {
        var message = Rent(Message.What.Events);
        message.Columns.Append(in batch);
        stage.Post(message);
    }

    internal override void OnWatermark(long watermark)
    {
        var message = Rent(Message.What.Watermark);
        message.Watermark = watermark;
        stage.Post(message);
    }

    internal override void OnRunningTime(long running)
    {
        var message = Rent(Message.What.RunningTime);
        message.Watermark = running;
        stage.Post(message);
    }

    internal override void OnReleased(bool isReleased) => stage.Post(Rent(isReleased ? Message.What.Released : Message.What.Resumed));

    internal override void OnCompleted() => stage.Post(Rent(Message.What.Completed));

    internal override void OnError(Exception error)
    {
        var message = Rent(Message.What.Error);
        message.Error = error;
        stage.Post(message);
    }

    protected override void Release()
    {
        while (_free.TryDequeue(out var message))
        {
            message.Columns.Dispose();
        }
    }

    private Message Rent(Message.What kind)
    {
        if (!_free.TryDequeue(out var message))
        {
            message = new Message(this);
        }

        message.Columns.Begin(0);
        message.Kind = kind;
        return message;
    }

    /// <summary>An error ends the query here as it does at its entry: the stage serves other queries as well.</summary>
    private void Deliver(Message message)
    {
        if (_stopped)
        {
            return;
        }

        try
        {
            Pass(message);
        }
        catch (QueryException error)
        {
            _stopped = true;
            target.OnError(error);
        }
    }

    private void Pass(Message message)
    {
        switch (message.Kind)
        {
            case Message.What.Events:
                target.OnEvents(message.Columns.Batch);
                break;
            case Message.What.Watermark:
                target.OnWatermark(message.Watermark);
                break;
            case Message.What.RunningTime:
                target.OnRunningTime(message.Watermark);
                break;
            case Message.What.Released or Message.What.Resumed:
                target.OnReleased(message.Kind == Message.What.Released);
                break;
            case Message.What.Completed:
                target.OnCompleted();
                break;
            default:
                target.OnError(message.Error!);
                break;
        }
    }

    private sealed class Message(Hop<T> hop) : StageMessage
    {
        internal enum What
        {
            Events,
            Watermark,
            RunningTime,
            Released,
            Resumed,
            Completed,
            Error,
        }

        internal BatchBuilder<T> Columns { get; } = new();

        internal What Kind { get; set; }

        /// <summary>The watermark, or the running time.</summary>
        internal long Watermark { get; set; }

        internal Exception? Error { get; set; }

        internal override void Run()
        {
            try
            {
                hop.Deliver(this);
            }
            finally
            {
                Columns.Clear();
                Error = null;
                if (hop._free.Count < MaxFreeMessages)
                {
                    hop._free.Enqueue(this);
                }
                else
                {
                    Columns.Dispose();
                }
            }
        }
    }
}

/// <summary>Divides a keyed stream over shards by the key group, and tells time to all of them.</summary>
internal sealed class RouterOperator<TKey, T>(QueryContext query, Func<T, TKey> key, Operator<T>[] shards) : Operator<T, T>(shards[0], query)
    where TKey : notnull
{
    private readonly BatchBuilder<T>[] _parts = [.. shards.Select(_ => new BatchBuilder<T>())];

    protected override bool IsAtomic => true;

    protected override void Process(in Batch<T> batch)
    {
        foreach (var part in _parts)
        {
            part.Begin(in batch);
        }

        for (int i = 0; i < batch.Length; i++)
        {
            var part = _parts[StableHash.GroupOf(key(batch.Events[i])) * shards.Length / StableHash.KeyGroups];
            part.Events[part.Count] = batch.Events[i];
            part.Ticks[part.Count] = batch.Ticks[i];
            part.CopyOptional(in batch, i, part.Count++);
        }

        for (int i = 0; i < shards.Length; i++)
        {
            if (_parts[i].Count > 0)
            {
                shards[i].OnEvents(_parts[i].Batch);
            }
        }
    }

    protected override void Advance(long watermark)
    {
        foreach (var shard in shards)
        {
            shard.OnWatermark(watermark);
        }
    }

    internal override void OnRunningTime(long running)
    {
        foreach (var shard in shards)
        {
            shard.OnRunningTime(running);
        }
    }

    internal override void OnReleased(bool isReleased)
    {
        foreach (var shard in shards)
        {
            shard.OnReleased(isReleased);
        }
    }

    protected override void Complete()
    {
        foreach (var shard in shards)
        {
            shard.OnCompleted();
        }
    }

    protected override void Release()
    {
        foreach (var part in _parts)
        {
            part.Dispose();
        }
    }
}

/// <summary>
/// Puts the results of several shards together in one order: epoch by epoch (from one watermark to the next), inside an epoch by time and
/// key group. One shard gives its results in that order by itself, so the number of shards can't be told from the output.
/// </summary>
internal sealed class GatherOperator<T> : Operator<T>
{
    private readonly Operator<T> _next;
    private readonly Queue<Epoch>[] _inputs;
    private readonly Stack<Epoch> _free = new();
    private readonly OrderedOutput<T> _output;
    private bool _failed;

    internal GatherOperator(Operator<T> next, int shards)
    {
        _next = next;
        _output = new OrderedOutput<T>(next);
        _inputs = [.. Enumerable.Range(0, shards).Select(_ => new Queue<Epoch>())];
        Inputs = [.. Enumerable.Range(0, shards).Select(i => new Input(this, i))];
    }

    internal IReadOnlyList<Operator<T>> Inputs { get; }

    internal override void OnEvents(in Batch<T> batch) => throw new System.Diagnostics.UnreachableException();

    internal override void OnWatermark(long watermark) => throw new System.Diagnostics.UnreachableException();

    internal override void OnCompleted() => throw new System.Diagnostics.UnreachableException();

    internal override void OnError(Exception error)
    {
        if (!_failed)
        {
            _failed = true;
            _next.OnError(error);
        }
    }

    protected override void Release()
    {
        _output.Dispose();
        foreach (var epoch in _inputs.SelectMany(queue => queue).Concat(_free))
        {
            epoch.Events.Dispose();
        }
    }

    private void Add(int input, in Batch<T> batch)
    {
        if (!_failed)
        {
            Open(input).Events.Append(in batch);
        }
    }

    private Epoch Open(int input)
    {
        var queue = _inputs[input];
        if (queue.Count > 0 && !queue.Last().IsClosed)
        {
            return queue.Last();
        }

        var epoch = _free.Count > 0 ? _free.Pop() : new Epoch();
        epoch.Events.Begin(0);
        epoch.IsClosed = false;
        queue.Enqueue(epoch);
        return epoch;
    }

    private void Close(int input, long? watermark, bool? isReleased = null)
    {
        if (_failed)
        {
            return;
        }

        var epoch = Open(input);
        epoch.IsClosed = true;
        epoch.Watermark = watermark;
        epoch.IsReleased = isReleased;
        while (!_failed && Array.TrueForAll(_inputs, queue => queue.Count > 0 && queue.Peek().IsClosed))
        {
            Emit();
        }
    }

    private void Emit()
    {
        long? watermark = null;
        bool? isReleased = null;
        foreach (var queue in _inputs)
        {
            var epoch = queue.Dequeue();
            _output.Append(epoch.Events.Batch);
            epoch.Events.Clear();
            isReleased = epoch.IsReleased;

            // Time is the furthest shard's: one that had to release events early is ahead of the others, and what they still give is late then.
            watermark = epoch.Watermark is { } time ? Math.Max(time, watermark ?? time) : watermark;
            _free.Push(epoch);
        }

        _output.Flush();
        if (watermark is { } reached)
        {
            _next.OnWatermark(reached);
        }
        else if (isReleased is { } released)
        {
            _next.OnReleased(released);
        }
        else
        {
            _next.OnCompleted();
        }
    }

    private sealed class Epoch
    {
        internal BatchBuilder<T> Events { get; } = new();

        internal bool IsClosed { get; set; }

        /// <summary>The watermark that ends the epoch; null where the input's end does, or that its source has a say about time no longer, or again.</summary>
        internal long? Watermark { get; set; }

        internal bool? IsReleased { get; set; }
    }

    private sealed class Input(GatherOperator<T> gather, int index) : Operator<T>
    {
        internal override void OnEvents(in Batch<T> batch) => gather.Add(index, in batch);

        internal override void OnWatermark(long watermark) => gather.Close(index, watermark);

        internal override void OnReleased(bool isReleased) => gather.Close(index, null, isReleased);

        internal override void OnCompleted() => gather.Close(index, null);

        internal override void OnError(Exception error) => gather.OnError(error);
    }
}
