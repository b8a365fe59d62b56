using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Saves and loads runs, with what their chains share.</summary>
internal sealed partial class RunMatcher<TKey, T>
{
    internal override void Save(StateWriter writer)
    {
        var codec = StateCodec.Require<TKey>();
        writer.Int32(_runs.Keys.Count);
        for (int i = 0; i < _runs.Keys.Count; i++)
        {
            codec.Write(writer, _runs.Keys.Entries[i].Key);
            Save(writer, in _runs.Keys.Entries[i].State);
        }
    }

    internal override void Load(StateReader reader, KeyRange keys)
    {
        var codec = StateCodec.Require<TKey>();
        var loaded = new List<(TKey Key, Run<TKey, T> Run)>();
        for (int i = _runs.Oldest; i != None; i = _runs.At(i).Newer)
        {
            _chains.Hold(_runs.At(i).Last);
            loaded.Add((_runs.At(i).Key, _runs.At(i)));
        }

        for (int count = reader.Int32(); count > 0; count--)
        {
            var key = codec.Read(reader);
            bool isOwn = keys.Contains(StableHash.GroupOf(key));
            int[] places = LoadEvents(reader);
            for (int runs = reader.Int32(); runs > 0; runs--)
            {
                var run = LoadRun(reader, places);
                if (isOwn)
                {
                    _chains.Hold(run.Last);
                    loaded.Add((key, run));
                }
            }

            for (int waiting = reader.Int32(); waiting > 0; waiting--)
            {
                int last = places[reader.Int32()];
                if (isOwn)
                {
                    _chains.Hold(last);
                    (_runs.Of(key).Waiting ??= []).Add(last);
                }
            }

            // Read from the first on, each held by the one behind it and by what was kept.
            for (int i = places.Length - 1; i >= 0; i--)
            {
                _chains.Free(places[i]);
            }
        }

        // What several shards saved is one list in order of time again; of each key in the order that it had.
        while (_runs.Oldest != None)
        {
            _runs.Remove(_runs.Oldest);
        }

        foreach (var (key, one) in loaded.OrderBy(one => one.Run.Start).ThenBy(one => one.Run.First))
        {
            var run = one;
            if (_history is not null && run.Story == None)
            {
                // Its story was told to who saved it; here it begins with what it has.
                run.Story = _history.Begin(key, run.Start);
                _history.Advance(run.Story, _chains, run.Last, run.State);
            }

            Add(key, in run, None);
        }
    }

    private void Save(StateWriter writer, in KeyRuns<T> runs)
    {
        var eventCodec = StateCodec.Require<T>();
        var numbers = new Dictionary<int, int>();
        var order = new List<int>();
        for (int i = runs.Oldest; i != None; i = _runs.At(i).Next)
        {
            Number(_runs.At(i).Last, numbers, order);
        }

        foreach (int last in runs.Waiting ?? [])
        {
            Number(last, numbers, order);
        }

        writer.Int32(order.Count);
        foreach (int at in order)
        {
            ref var taken = ref _chains.At(at);
            writer.Int32(taken.Previous == None ? None : numbers[taken.Previous]);
            writer.Int32(taken.Label);
            writer.Int64(taken.Ticks);
            writer.Int64(taken.Position);
            eventCodec.Write(writer, taken.Event);
        }

        writer.Int32(runs.Count);
        for (int i = runs.Oldest; i != None; i = _runs.At(i).Next)
        {
            ref var run = ref _runs.At(i);
            writer.Text(run.State.Key);
            writer.Int32(run.Transition is null ? None : run.State.Transitions.IndexOf(run.Transition));
            writer.Int64((long)run.Guards);
            writer.Int64(run.Start);
            writer.Int64(run.First);
            writer.Int32(numbers[run.Last]);
        }

        writer.Int32(runs.Waiting?.Count ?? 0);
        foreach (int last in runs.Waiting ?? [])
        {
            writer.Int32(numbers[last]);
        }
    }

    private Run<TKey, T> LoadRun(StateReader reader, int[] places)
    {
        var state = _program.Find(reader.Text()!);
        int transition = reader.Int32();
        return new Run<TKey, T>
        {
            State = state,
            Transition = transition == None ? null : state.Transitions[transition],
            Guards = (ulong)reader.Int64(),
            Start = reader.Int64(),
            First = reader.Int64(),
            Last = places[reader.Int32()],
            Story = None,
        };
    }

    private int[] LoadEvents(StateReader reader)
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

    /// <summary>Numbers the events of a chain that have none yet, from its first on.</summary>
    private void Number(int last, Dictionary<int, int> numbers, List<int> order)
    {
        var chain = new Stack<int>();
        for (int at = last; at != None && !numbers.ContainsKey(at); at = _chains.At(at).Previous)
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
