namespace IoT.Cep;

/// <summary>The value of the earliest event; of several at one time, that of the first to arrive.</summary>
internal record struct FirstValue<T> : ITimedAccumulator<T, FirstValue<T>>, Extensibility.ISaveable
{
    private Edge<T> _edge;

    internal readonly T Value => _edge.Value;

    public void Add(in T value, long ticks)
    {
        if (!_edge.HasValue || ticks < _edge.Ticks)
        {
            _edge.Set(in value, ticks);
        }
    }

    public void Merge(in FirstValue<T> other)
    {
        if (other._edge.HasValue)
        {
            Add(in other._edge.Value, other._edge.Ticks);
        }
    }

    public readonly void Save(Extensibility.StateWriter writer) => _edge.Save(writer);

    public void Load(Extensibility.StateReader reader) => _edge.Load(reader);
}

/// <summary>The value of the latest event; of several at one time, that of the last to arrive.</summary>
internal record struct LastValue<T> : ITimedAccumulator<T, LastValue<T>>, Extensibility.ISaveable
{
    private Edge<T> _edge;

    internal readonly T Value => _edge.Value;

    public void Add(in T value, long ticks)
    {
        if (!_edge.HasValue || ticks >= _edge.Ticks)
        {
            _edge.Set(in value, ticks);
        }
    }

    public void Merge(in LastValue<T> other)
    {
        if (other._edge.HasValue)
        {
            Add(in other._edge.Value, other._edge.Ticks);
        }
    }

    public readonly void Save(Extensibility.StateWriter writer) => _edge.Save(writer);

    public void Load(Extensibility.StateReader reader) => _edge.Load(reader);
}

/// <summary>One value and its time, or none.</summary>
internal record struct Edge<T>
{
    internal T Value;
    internal long Ticks;
    internal bool HasValue;

    internal void Set(in T value, long ticks) => (Value, Ticks, HasValue) = (value, ticks, true);

    internal readonly void Save(Extensibility.StateWriter writer)
    {
        writer.Boolean(HasValue);
        if (HasValue)
        {
            writer.Int64(Ticks);
            StateCodec.Require<T>().Write(writer, Value);
        }
    }

    internal void Load(Extensibility.StateReader reader)
    {
        if (reader.Boolean())
        {
            long ticks = reader.Int64();
            Set(StateCodec.Require<T>().Read(reader), ticks);
        }
    }
}
