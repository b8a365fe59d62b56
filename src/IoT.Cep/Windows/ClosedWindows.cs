using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A window that has a result to give.</summary>
internal struct ClosedWindow<TKey, TState>
{
    internal TKey Key;
    internal byte Group;
    internal long Start;
    internal long End;

    /// <summary>The time of what made it fire.</summary>
    internal long Time;

    /// <summary>How many results of this key began at the same instant before.</summary>
    internal int Ordinal;
    internal TState State;
}

/// <summary>
/// Windows that have closed and wait for the next watermark, when they are projected and given out. So a projection never runs while an event is
/// processed, and what it throws is its window's fault.
/// </summary>
internal sealed class ClosedWindows<TKey, T, TState, TValue, TKernel, TResult>(WindowParts<TKey, T, TState, TValue, TKernel, TResult> parts) : IDisposable
    where TKey : notnull
    where TState : struct
    where TKernel : struct, IWindowKernel<T, TState, TValue>
{
    private readonly WindowOutput<TKey, TState, TResult> _output = new(parts.Next, parts.Result, parts.Identity);
    private readonly TKernel _kernel = parts.Kernel;

    // State that checkpoints save.
    private ClosedWindow<TKey, TState>[] _closed = [];
    private int _count;

    // Where giving out stands, so that it goes on behind a projection that threw.
    private int _next = -1;
    private int _kept;

    internal void Add(in ClosedWindow<TKey, TState> window)
    {
        if (_count == _closed.Length)
        {
            Array.Resize(ref _closed, Math.Max(64, _closed.Length * 2));
        }

        _closed[_count++] = window;
    }

    /// <summary>Gives out what fired by this time.</summary>
    internal void GiveOut(long time)
    {
        if (_next < 0)
        {
            (_next, _kept) = (0, 0);
        }

        while (_next < _count)
        {
            ref var window = ref _closed[_next];
            if (window.Time > time)
            {
                (_closed[_kept], window) = (window, _closed[_kept]);
                _kept++;
            }
            else
            {
                var info = new WindowInfo<TKey>(window.Key, window.Start, window.End);
                _output.Emit(in info, window.Group, ref window.State, window.End - 1, window.Ordinal);
                _kernel.Release(ref window.State);
            }

            _next++;
        }

        _closed.AsSpan(_kept, _count - _kept).Clear();
        (_count, _next) = (_kept, -1);
        _output.Flush();
    }

    /// <summary>Leaves the window out whose projection threw, where it was one.</summary>
    internal void DropFailed()
    {
        if (_next >= 0)
        {
            _kernel.Release(ref _closed[_next].State);
            _next++;
        }
    }

    internal void Save(StateWriter writer)
    {
        writer.Int32(_count);
        foreach (ref readonly var window in _closed.AsSpan(0, _count))
        {
            StateCodec.Require<TKey>().Write(writer, window.Key);
            writer.Int64(window.Start);
            writer.Int64(window.End);
            writer.Int64(window.Time);
            writer.Int32(window.Ordinal);
            _kernel.Save(writer, in window.State);
        }
    }

    internal void Load(StateReader reader)
    {
        for (int count = reader.Int32(); count > 0; count--)
        {
            var id = StateCodec.Require<TKey>().Read(reader);
            var window = new ClosedWindow<TKey, TState>
            {
                Key = id,
                Group = (byte)StableHash.GroupOf(id),
                Start = reader.Int64(),
                End = reader.Int64(),
                Time = reader.Int64(),
                Ordinal = reader.Int32(),
                State = _kernel.Load(reader),
            };
            if (parts.Keys.Contains(window.Group))
            {
                Add(in window);
            }
        }
    }

    public void Dispose() => _output.Dispose();
}
