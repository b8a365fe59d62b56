using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Puts the events of one source's branches in an order that tells nothing of the threads they came by. An event that came while its branch's time was
/// v is due at its own time, or just behind v where it is not later than that; it is given out when all branches have reached that. What comes afterwards
/// is due later, so the order is (due, time, key group, input, arrival in its input) from the first event to the last.
/// </summary>
internal sealed class UnionOrder<T>(Operator<T> next, int capacity = UnionOrder<T>.DefaultCapacity) : IDisposable
{
    /// <summary>As many as an operator may have keys by default, so that a window of all of them fits.</summary>
    internal const int DefaultCapacity = 1_000_000;

    private readonly BatchBuilder<T> _out = new();

    // State that checkpoints save: what waits.
    private readonly PriorityQueue<T, Place> _waiting = new();
    private long _arrivals;

    internal void Add(int input, in Batch<T> batch, long watermark)
    {
        long first = watermark == long.MaxValue ? watermark : watermark + 1;
        for (int i = 0; i < batch.Length; i++)
        {
            byte group = batch.Groups.IsEmpty ? (byte)0 : batch.Groups[i];
            _waiting.Enqueue(batch.Events[i], new Place(Math.Max(batch.Ticks[i], first), batch.Ticks[i], group, input, ++_arrivals));
        }

        if (_waiting.Count > capacity)
        {
            Give(long.MaxValue, keep: capacity);
        }
    }

    /// <summary>All branches have reached a time.</summary>
    internal void Release(long watermark) => Give(watermark, keep: 0);

    internal void Save(StateWriter writer)
    {
        var codec = _waiting.Count > 0 ? StateCodec.Require<T>() : null;
        writer.Int32(_waiting.Count);
        foreach (var (value, place) in _waiting.UnorderedItems)
        {
            codec!.Write(writer, value);
            writer.Int64(place.Due);
            writer.Int64(place.Ticks);
            writer.Byte(place.Group);
            writer.Int32(place.Input);
            writer.Int64(place.Arrival);
        }
    }

    internal void Load(StateReader reader)
    {
        for (int count = reader.Int32(); count > 0; count--)
        {
            var value = StateCodec.Require<T>().Read(reader);
            var place = new Place(reader.Int64(), reader.Int64(), reader.Byte(), reader.Int32(), reader.Int64());
            _waiting.Enqueue(value, place);
            _arrivals = Math.Max(_arrivals, place.Arrival);
        }
    }

    public void Dispose() => _out.Dispose();

    private void Give(long due, int keep)
    {
        while (_waiting.Count > keep && _waiting.TryPeek(out _, out var first) && first.Due <= due)
        {
            _out.Begin(Math.Min(_waiting.Count, EventBuffer<T>.DefaultCapacity));
            while (_out.Count < EventBuffer<T>.DefaultCapacity && _waiting.Count > keep && _waiting.TryPeek(out var value, out var place) && place.Due <= due)
            {
                _out.Events[_out.Count] = value;
                _out.Ticks[_out.Count++] = place.Ticks;
                _waiting.Dequeue();
            }

            next.OnEvents(_out.Batch);
            _out.Clear();
        }
    }

    private readonly record struct Place(long Due, long Ticks, byte Group, int Input, long Arrival) : IComparable<Place>
    {
        public int CompareTo(Place other)
        {
            int order = Due.CompareTo(other.Due);
            order = order != 0 ? order : Ticks.CompareTo(other.Ticks);
            order = order != 0 ? order : Group.CompareTo(other.Group);
            order = order != 0 ? order : Input.CompareTo(other.Input);
            return order != 0 ? order : Arrival.CompareTo(other.Arrival);
        }
    }
}
