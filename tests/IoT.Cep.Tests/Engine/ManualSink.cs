using IoT.Cep.Extensibility;

namespace IoT.Cep.Tests;

/// <summary>A store that a test can block, and that fails where the test says.</summary>
internal sealed class ManualSink<T>(bool isDurable = false, bool usesIdentity = false) : IAsyncSink<T>
{
    private readonly Lock _gate = new();
    private readonly List<T> _rows = [];
    private readonly List<(int Count, TaskCompletionSource Reached)> _waiting = [];
    private TaskCompletionSource _open = Opened();

    public string Name => "manual";

    public bool IsDurable => isDurable;

    public bool UsesIdentity => usesIdentity;

    /// <summary>Called before each write with the number of the try; throws to fail it.</summary>
    internal Action<SinkBatch<T>, int>? BeforeWrite { get; init; }

    /// <summary>What opening fails with, each time.</summary>
    internal Exception? OpenError { get; init; }

    /// <summary>What the check before the start fails with.</summary>
    internal Exception? CheckError { get; set; }

    internal int Tries { get; private set; }

    internal bool Disposed { get; private set; }

    internal IReadOnlyList<T> Rows
    {
        get
        {
            lock (_gate)
            {
                return [.. _rows];
            }
        }
    }

    public ValueTask CheckAsync(SinkContext context, CancellationToken stop) => CheckError is null ? default : ValueTask.FromException(CheckError);

    public ValueTask OpenAsync(SinkContext context, CancellationToken stop) => OpenError is null ? default : ValueTask.FromException(OpenError);

    public async ValueTask WriteAsync(SinkBatch<T> batch, CancellationToken stop)
    {
        await _open.Task.WaitAsync(stop);
        BeforeWrite?.Invoke(batch, ++Tries);
        lock (_gate)
        {
            _rows.AddRange(batch.Events.Span);
            _waiting.FindAll(w => w.Count <= _rows.Count).ForEach(w => w.Reached.TrySetResult());
        }
    }

    public ValueTask DisposeAsync()
    {
        Disposed = true;
        return default;
    }

    internal void Block() => _open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    internal void Unblock() => _open.TrySetResult();

    internal Task WaitForAsync(int count)
    {
        lock (_gate)
        {
            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Add((count, reached));
            if (_rows.Count >= count)
            {
                reached.SetResult();
            }

            return reached.Task.WaitAsync(Limit.Time);
        }
    }

    private static TaskCompletionSource Opened()
    {
        var opened = new TaskCompletionSource();
        opened.SetResult();
        return opened;
    }
}
