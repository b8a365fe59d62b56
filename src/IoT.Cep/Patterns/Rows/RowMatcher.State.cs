using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Saves and loads keys' rows, with what their paths share.</summary>
internal sealed partial class RowMatcher<TKey, T>
{
    internal override void Save(StateWriter writer)
    {
        var codec = StateCodec.Require<TKey>();
        writer.Int32(_starts.Keys.Count);
        for (int i = 0; i < _starts.Keys.Count; i++)
        {
            codec.Write(writer, _starts.Keys.Entries[i].Key);
            Save(writer, in _starts.Keys.Entries[i].State);
        }
    }

    internal override void Load(StateReader reader, KeyRange keys)
    {
        var codec = StateCodec.Require<TKey>();
        for (int count = reader.Int32(); count > 0; count--)
        {
            var key = codec.Read(reader);
            LoadKey(reader, key, keys.Contains(StableHash.GroupOf(key)));
        }

        _starts.Sort();
    }

    private void Save(StateWriter writer, in KeyRows<T> rows)
    {
        var codec = StateCodec.Require<T>();
        writer.Int64(rows.Rows);
        writer.Int64(rows.Ticks);
        int before = (int)Math.Min(rows.Rows, _pattern.RowsBefore);
        for (int i = before; i > 0; i--)
        {
            codec.Write(writer, rows.Ring![(rows.Rows - i) % rows.Ring.Length]);
        }

        var numbers = new Dictionary<int, int> { [None] = None };
        SaveChains(writer, in rows, numbers);
        writer.Int32(rows.Count);
        for (int index = rows.Oldest; index != None; index = _starts.At(index).Next)
        {
            ref var start = ref _starts.At(index);
            writer.Int64(start.Ticks);
            writer.Int64(start.Position);
            writer.Int64(start.Row);
            writer.Int32(numbers[start.Best]);
            for (int path = start.Path; path != None; path = _starts.PathAt(path).Next)
            {
                writer.Int32(numbers[_starts.PathAt(path).Last]);
                _program.Save(writer, _starts.PathAt(path).State);
            }

            writer.Int32(None);
        }
    }

    private void SaveChains(StateWriter writer, in KeyRows<T> rows, Dictionary<int, int> numbers)
    {
        var codec = StateCodec.Require<T>();
        var order = new List<int>();
        for (int index = rows.Oldest; index != None; index = _starts.At(index).Next)
        {
            Number(_starts.At(index).Best, numbers, order);
            for (int path = _starts.At(index).Path; path != None; path = _starts.PathAt(path).Next)
            {
                Number(_starts.PathAt(path).Last, numbers, order);
            }
        }

        writer.Int32(order.Count);
        foreach (int at in order)
        {
            ref var taken = ref _chains.At(at);
            writer.Int32(numbers[taken.Previous]);
            writer.Int32(taken.Label);
            writer.Int64(taken.Ticks);
            writer.Int64(taken.Position);
            codec.Write(writer, taken.Event);
        }
    }

    private void LoadKey(StateReader reader, TKey key, bool isOwn)
    {
        var codec = StateCodec.Require<T>();
        var (seen, ticks) = (reader.Int64(), reader.Int64());
        var ring = _pattern.RowsBefore == 0 ? null : new T[_pattern.RowsBefore];
        for (long i = Math.Min(seen, _pattern.RowsBefore); i > 0; i--)
        {
            ring![(seen - i) % ring.Length] = codec.Read(reader);
        }

        int[] places = LoadChains(reader);
        if (isOwn)
        {
            ref var rows = ref _starts.Of(key);
            (rows.Rows, rows.Ticks, rows.Ring) = (seen, ticks, ring);
        }

        for (int count = reader.Int32(); count > 0; count--)
        {
            var (startTicks, position, row) = (reader.Int64(), reader.Int64(), reader.Int64());
            int index = isOwn ? _starts.Add(key, startTicks, position, row) : None;
            int best = reader.Int32();
            if (isOwn && best != None)
            {
                _starts.SetBest(index, places[best]);
            }

            for (int last = reader.Int32(); last != None; last = reader.Int32())
            {
                var state = _program.Compiled(_program.Load(reader));
                if (isOwn)
                {
                    _starts.AddPath(index, state, places[last]);
                }
            }
        }

        // Read from the first on, each held by the one behind it and by what was kept.
        for (int i = places.Length - 1; i >= 0; i--)
        {
            _chains.Free(places[i]);
        }
    }

    private int[] LoadChains(StateReader reader)
    {
        var codec = StateCodec.Require<T>();
        int[] places = new int[reader.Int32()];
        for (int i = 0; i < places.Length; i++)
        {
            int previous = reader.Int32();
            var (label, ticks, position) = (reader.Int32(), reader.Int64(), reader.Int64());
            places[i] = _chains.Add(codec.Read(reader), ticks, position, label, previous == None ? None : places[previous]);
        }

        return places;
    }

    /// <summary>Numbers the rows of a chain that have none yet, from its first on.</summary>
    private void Number(int last, Dictionary<int, int> numbers, List<int> order)
    {
        var chain = new Stack<int>();
        for (int at = last; !numbers.ContainsKey(at); at = _chains.At(at).Previous)
        {
            chain.Push(at);
        }

        foreach (int at in chain)
        {
            numbers[at] = order.Count;
            order.Add(at);
        }
    }
}
