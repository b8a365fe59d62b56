using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Events held until the watermark reaches them, given out in order of time, ties in order of arrival. Those that came in order stand in one run;
/// only the stragglers among them are sorted, so a stream that is nearly in order costs little more than one that is.
/// </summary>
/// <remarks>
/// An event that is not before the last one of the run joins it. A straggler's time is before that of any event that joins the run later, so of
/// two events of one time the one in the run came first: merging run and stragglers keeps the order of arrival without a number for it.
/// </remarks>
internal sealed class OrderBuffer<T> : IDisposable
{
    private readonly BatchBuilder<T> _run = new();
    private readonly TimeHeap<T> _stragglers = new();
    private BatchBuilder<T>? _merged;
    private int _start;

    internal int Count => _run.Count - _start + _stragglers.Count;

    internal void Add(in Batch<T> batch)
    {
        if (batch.Length == 0)
        {
            return;
        }

        Forget();
        long last = _run.Count > 0 ? _run.Ticks[_run.Count - 1] : batch.Ticks[0];
        if (batch.Ticks[0] >= last && IsInOrder(in batch))
        {
            _run.Append(new Batch<T>(batch.Events, batch.Ticks));
            return;
        }

        _run.Ensure(_run.Count + batch.Length);
        for (int i = 0; i < batch.Length; i++)
        {
            AddOne(in batch.Events[i], batch.Ticks[i]);
        }
    }

    internal void Add(in T value, long ticks)
    {
        Forget();
        _run.Ensure(_run.Count + 1);
        AddOne(in value, ticks);
    }

    /// <summary>Takes events up to a time out, in order: a batch of them, valid until the next call. False when there are no more.</summary>
    internal bool Take(long watermark, out Batch<T> ready)
    {
        Forget();
        if (_stragglers.Count == 0 || _stragglers.FirstTicks > watermark)
        {
            int end = EndOfRun(watermark);
            ready = _run.Batch.Slice(_start, end - _start);
            _start = end;
            return ready.Length > 0;
        }

        var merged = _merged ??= new BatchBuilder<T>();
        merged.Clear();
        merged.Begin(EventBuffer<T>.DefaultCapacity);
        while (merged.Count < EventBuffer<T>.DefaultCapacity && Count > 0 && FirstTicks <= watermark)
        {
            merged.Events[merged.Count] = RemoveFirst(out long ticks);
            merged.Ticks[merged.Count++] = ticks;
        }

        ready = merged.Batch;
        return true;
    }

    /// <summary>Takes the earliest event out; there is one.</summary>
    internal T RemoveFirst(out long ticks)
    {
        if (!IsRunFirst)
        {
            return _stragglers.RemoveFirst(out ticks);
        }

        ticks = _run.Ticks[_start];
        return _run.Events[_start++];
    }

    /// <summary>One of the events that are held, in no particular order.</summary>
    internal (T Value, long Ticks) At(int index)
    {
        int run = _run.Count - _start;
        return index < run ? (_run.Events[_start + index], _run.Ticks[_start + index]) : _stragglers.At(index - run);
    }

    internal void Save(StateWriter writer)
    {
        var codec = Count > 0 ? StateCodec.Require<T>() : null;
        writer.Int32(Count);
        int next = _start;
        foreach (var (value, ticks) in _stragglers.InOrder())
        {
            for (; next < _run.Count && _run.Ticks[next] <= ticks; next++)
            {
                Write(_run.Events[next], _run.Ticks[next]);
            }

            Write(value, ticks);
        }

        for (; next < _run.Count; next++)
        {
            Write(_run.Events[next], _run.Ticks[next]);
        }

        void Write(T value, long ticks)
        {
            writer.Int64(ticks);
            codec!.Write(writer, value);
        }
    }

    /// <summary>Adds what was saved, of several shards one after the other, as far as it is this one's.</summary>
    internal void Load(StateReader reader, Func<T, bool> owns)
    {
        for (int count = reader.Int32(); count > 0; count--)
        {
            long ticks = reader.Int64();
            var value = StateCodec.Require<T>().Read(reader);
            if (owns(value))
            {
                Add(in value, ticks);
            }
        }
    }

    public void Dispose()
    {
        _run.Dispose();
        _merged?.Dispose();
    }

    private bool IsRunFirst => _start < _run.Count && (_stragglers.Count == 0 || _run.Ticks[_start] <= _stragglers.FirstTicks);

    private long FirstTicks => IsRunFirst ? _run.Ticks[_start] : _stragglers.FirstTicks;

    private static bool IsInOrder(in Batch<T> batch)
    {
        if (batch.IsSorted)
        {
            return true;
        }

        var ticks = batch.Ticks;
        for (int i = 1; i < ticks.Length; i++)
        {
            if (ticks[i] < ticks[i - 1])
            {
                return false;
            }
        }

        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void AddOne(in T value, long ticks)
    {
        int at = _run.Count;
        if (at > 0 && ticks < _run.Ticks[at - 1])
        {
            _stragglers.Add(value, ticks);
            return;
        }

        _run.Events[at] = value;
        _run.Ticks[at] = ticks;
        _run.Count = at + 1;
    }

    /// <summary>Makes room where events were taken: moved down once they are half of the run, so that each event moves once at most.</summary>
    private void Forget()
    {
        if (_start == _run.Count)
        {
            _run.Clear();
            _start = 0;
        }
        else if (_start > _run.Count / 2)
        {
            int kept = _run.Count - _start;
            _run.Events.AsSpan(_start, kept).CopyTo(_run.Events);
            _run.Ticks.AsSpan(_start, kept).CopyTo(_run.Ticks);
            _run.Events.AsSpan(kept, _start).Clear();
            _run.Count = kept;
            _start = 0;
        }
    }

    private int EndOfRun(long watermark)
    {
        int end = _run.Ticks.AsSpan(_start, _run.Count - _start).BinarySearch(new Bound(watermark));
        return _start + (end < 0 ? ~end : end);
    }

    /// <summary>Finds the end of those at or before a time: nothing is equal to the bound.</summary>
    private readonly struct Bound(long ticks) : IComparable<long>
    {
        public int CompareTo(long other) => ticks < other ? -1 : 1;
    }
}
