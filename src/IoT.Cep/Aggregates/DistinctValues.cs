using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The different values of a window, each held once. More than the limit make the result an error.</summary>
internal record struct DistinctValues<T>(int Limit) : IAccumulator<T, DistinctValues<T>>, ISaveable
{
    private HashSet<T>? _values;
    private bool _isExceeded;

    internal readonly int Count => _isExceeded
        ? throw new AggregateLimitException(Limit, "Raise its limit (maxValues), or use ApproximateDistinctCount, which has none.")
        : _values?.Count ?? 0;

    public void Add(in T value)
    {
        var values = _values ??= [];
        if (values.Count < Limit)
        {
            values.Add(value);
        }
        else
        {
            _isExceeded |= !values.Contains(value);
        }
    }

    public void Merge(in DistinctValues<T> other)
    {
        _isExceeded |= other._isExceeded;
        if (other._values is not null)
        {
            foreach (var value in other._values)
            {
                Add(in value);
            }
        }
    }

    public bool TryClear()
    {
        // A set grown by one busy window is not held for all that follow.
        if (_values is { Count: var count } && _values.Capacity > 64 && count * 4 < _values.Capacity)
        {
            _values = null;
        }

        _values?.Clear();
        _isExceeded = false;
        return true;
    }

    public readonly void Save(StateWriter writer)
    {
        writer.Int32(Limit);
        writer.Boolean(_isExceeded);
        writer.Int32(_values?.Count ?? 0);
        if (_values is not null)
        {
            var codec = StateCodec.Require<T>();
            foreach (var value in _values)
            {
                codec.Write(writer, value);
            }
        }
    }

    public void Load(StateReader reader)
    {
        this = new DistinctValues<T>(reader.Int32()) { _isExceeded = reader.Boolean() };
        int count = reader.Int32();
        SavedArrays.Require(count >= 0 && count <= Limit);
        for (; count > 0; count--)
        {
            Add(StateCodec.Require<T>().Read(reader));
        }
    }
}
