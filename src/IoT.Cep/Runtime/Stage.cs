using System.Threading.Channels;

namespace IoT.Cep;

/// <summary>Something that can be full: a stage's queue or a sink's. Whoever feeds it looks first and waits while it is.</summary>
internal interface IBounded
{
    bool HasRoom { get; }

    /// <summary>Completes when there may be room again.</summary>
    Task WaitForRoomAsync(CancellationToken stop);
}

/// <summary>Wakes those who wait for room. Set and wait may race; a waiter looks again after it woke.</summary>
internal sealed class RoomSignal
{
    private readonly Lock _gate = new();
    private TaskCompletionSource? _waiting;

    internal Task WaitAsync(Func<bool> hasRoom, CancellationToken stop)
    {
        lock (_gate)
        {
            if (hasRoom())
            {
                return Task.CompletedTask;
            }

            _waiting ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _waiting.Task.WaitAsync(stop);
        }
    }

    internal void Set()
    {
        TaskCompletionSource? waiting;
        lock (_gate)
        {
            waiting = _waiting;
            _waiting = null;
        }

        waiting?.SetResult();
    }
}

/// <summary>Something for a stage to do, with no shared references to what the sender goes on using.</summary>
internal abstract class StageMessage
{
    internal abstract void Run();
}

/// <summary>
/// One single-threaded loop over a queue of messages: a shard, or the stage that gathers shards again. Its whole work is
/// <see cref="Step"/>, so a test drives it by hand.
/// </summary>
/// <remarks>
/// The queue is bounded by admission: a sender takes its next batch only while every queue it feeds is below its capacity, so a queue
/// exceeds it by what one batch gives at most. That keeps a step synchronous, with no message half sent.
/// </remarks>
internal sealed class Stage(string name, int capacity = Stage.DefaultCapacity) : IBounded
{
    /// <summary>In messages of up to 1,024 events: enough to ride out a garbage collection at a million events a second.</summary>
    internal const int DefaultCapacity = 64;

    private readonly Channel<StageMessage> _queue = Channel.CreateUnbounded<StageMessage>(new UnboundedChannelOptions { SingleReader = true });
    private readonly RoomSignal _room = new();
    private readonly List<IBounded> _outputs = [];

    // Counted here: a channel with a single reader does not tell its count.
    private int _waiting;

    internal string Name => name;

    /// <summary>Held while the stage runs, and by whoever changes its operators.</summary>
    internal Lock Gate { get; } = new();

    public bool HasRoom => Volatile.Read(ref _waiting) < capacity;

    /// <summary>Whether everything this stage feeds has room.</summary>
    internal bool OutputsHaveRoom
    {
        get
        {
            lock (_outputs)
            {
                foreach (var output in _outputs)
                {
                    if (!output.HasRoom)
                    {
                        return false;
                    }
                }

                return true;
            }
        }
    }

    public Task WaitForRoomAsync(CancellationToken stop) => _room.WaitAsync(() => HasRoom, stop);

    internal void AddOutput(IBounded output)
    {
        lock (_outputs)
        {
            if (!_outputs.Contains(output))
            {
                _outputs.Add(output);
            }
        }
    }

    internal void RemoveOutput(IBounded output)
    {
        lock (_outputs)
        {
            _outputs.Remove(output);
        }
    }

    internal Task WaitForOutputsAsync(CancellationToken stop)
    {
        IBounded? full;
        lock (_outputs)
        {
            full = _outputs.Find(output => !output.HasRoom);
        }

        return full?.WaitForRoomAsync(stop) ?? Task.CompletedTask;
    }

    internal void Post(StageMessage message)
    {
        Interlocked.Increment(ref _waiting);
        if (!_queue.Writer.TryWrite(message))
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    /// <summary>Processes one message, if there is one and all outputs have room.</summary>
    internal bool Step()
    {
        if (!OutputsHaveRoom || !_queue.Reader.TryRead(out var message))
        {
            return false;
        }

        Interlocked.Decrement(ref _waiting);
        lock (Gate)
        {
            message.Run();
        }

        _room.Set();
        return true;
    }

    /// <summary>Completes when all that was posted before has been processed.</summary>
    internal Task WaitUntilProcessedAsync()
    {
        var mark = new Mark();
        Post(mark);
        return mark.Passed;
    }

    internal async Task RunAsync(CancellationToken stop)
    {
        while (await _queue.Reader.WaitToReadAsync(stop).ConfigureAwait(false))
        {
            while (Step())
            {
                stop.ThrowIfCancellationRequested();
            }

            await WaitForOutputsAsync(stop).ConfigureAwait(false);
        }
    }

    /// <summary>No more messages will come; the loop ends when the queue is empty.</summary>
    internal void Complete() => _queue.Writer.TryComplete();

    private sealed class Mark : StageMessage
    {
        private readonly TaskCompletionSource _passed = new(TaskCreationOptions.RunContinuationsAsynchronously);

        internal Task Passed => _passed.Task;

        internal override void Run() => _passed.SetResult();
    }
}
