using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Saves and loads sets, with all that they share.</summary>
internal sealed partial class SetMatcher<TKey, T>
{
    internal override void Save(StateWriter writer)
    {
        var graph = Describe();
        var keyCodec = StateCodec.Require<TKey>();
        var eventCodec = StateCodec.Require<T>();
        writer.Int64(_expired);
        writer.Int32(graph.Keys.Count);
        foreach (var saved in graph.Keys)
        {
            keyCodec.Write(writer, saved.Key);
            writer.Int64(saved.Floor);
        }

        writer.Int32(graph.Takings.Count);
        foreach (var (taking, owner) in graph.Takings)
        {
            writer.Int32(owner);
            writer.Int64(taking.Ticks);
            writer.Int64(taking.LatestStart);
            writer.Int64(taking.Before);
            writer.Int32(taking.Label);
            eventCodec.Write(writer, taking.Event);
        }

        writer.Int32(graph.Unions.Count);
        foreach (var union in graph.Unions)
        {
            writer.Int64(union.Left);
            writer.Int64(union.Right);
            writer.Int64(union.LatestStart);
            writer.Int64(union.RightLatest);
            writer.Int64(union.Ticks);
        }

        foreach (var saved in graph.Keys)
        {
            writer.Int32(saved.Standing.Count);
            foreach (var standing in saved.Standing)
            {
                writer.Text(_configurations.At(standing.At).Key);
                writer.Int64(standing.Set);
                writer.Int64(standing.LatestStart);
            }
        }
    }

    internal override void Load(StateReader reader, KeyRange keys)
    {
        var graph = Describe();
        var keyCodec = StateCodec.Require<TKey>();
        var eventCodec = StateCodec.Require<T>();
        _expired = Math.Max(_expired, reader.Int64());
        int[] places = new int[reader.Int32()];
        int firstKey = graph.Keys.Count;
        var own = new List<bool>();
        for (int i = 0; i < places.Length; i++)
        {
            var saved = new SavedKey(keyCodec.Read(reader), reader.Int64(), []);
            own.Add(keys.Contains(StableHash.GroupOf(saved.Key)));
            graph.Keys.Add(saved);
        }

        // What is another shard's is loaded as well, for what it shares, and is not kept.
        long takingsBefore = graph.Takings.Count, unionsBefore = graph.Unions.Count;
        for (int count = reader.Int32(); count > 0; count--)
        {
            int owner = reader.Int32();
            var taking = new Taking<T> { Ticks = reader.Int64(), LatestStart = reader.Int64(), Before = Moved(reader.Int64(), takingsBefore, unionsBefore), Label = reader.Int32() };
            taking.Event = eventCodec.Read(reader);
            graph.Takings.Add((taking, owner < 0 || !own[owner] ? -1 : owner + firstKey));
        }

        for (int count = reader.Int32(); count > 0; count--)
        {
            graph.Unions.Add(new Joining
            {
                Left = Moved(reader.Int64(), takingsBefore, unionsBefore),
                Right = Moved(reader.Int64(), takingsBefore, unionsBefore),
                LatestStart = reader.Int64(),
                RightLatest = reader.Int64(),
                Ticks = reader.Int64(),
            });
        }

        for (int i = 0; i < places.Length; i++)
        {
            for (int count = reader.Int32(); count > 0; count--)
            {
                graph.Keys[firstKey + i].Standing.Add(
                    new Standing(_configurations.Find(reader.Text()!).Id, Moved(reader.Int64(), takingsBefore, unionsBefore), reader.Int64()));
            }
        }

        Rebuild(graph);
    }

    private static long Moved(long set, long takings, long unions) =>
        set == SharedSets<T>.None ? set : set + ((IsSavedUnion(set) ? unions : takings) << 1);

    /// <summary>Saved, a set is an even number for an event and an odd one for a union.</summary>
    private static bool IsSavedUnion(long set) => (set & 1) != 0;

    /// <summary>What there is, with places counted from 0 and without what has expired.</summary>
    private Graph Describe()
    {
        var graph = new Graph([], [], []);
        var owners = new Dictionary<long, int>();
        for (int i = 0; i < _keys.Places; i++)
        {
            ref var entry = ref _keys.At(i);
            if (!entry.IsLive || IsIdle(in entry.State, _expired))
            {
                continue;
            }

            ref var sets = ref entry.State;
            EventsOf(in sets).ForEach(number => owners[number] = graph.Keys.Count);
            var standing = new List<Standing>();
            for (int j = 0; j < sets.Groups; j++)
            {
                if (sets[j].LatestStart > Math.Max(_expired, sets.Floor))
                {
                    standing.Add(sets[j]);
                }
            }

            graph.Keys.Add(new SavedKey(entry.Key, sets.Floor, standing));
        }

        for (long number = _sets.First; number < _sets.End; number++)
        {
            graph.Takings.Add((_sets.At(number), owners.GetValueOrDefault(number, -1)));
        }

        var places = new Dictionary<long, long>();
        foreach (long set in Reachable(graph))
        {
            places[set] = ((long)graph.Unions.Count << 1) | 1;
            graph.Unions.Add(_sets.PartsOf(set));
        }

        // What nothing alive leads to any more is left out, and where something dead leads to it.
        Place(graph, set => set == SharedSets<T>.None ? set
            : !SharedSets<T>.IsTaking(set) ? places.GetValueOrDefault(set, SharedSets<T>.None)
            : SharedSets<T>.NumberOf(set) >= _sets.First ? (SharedSets<T>.NumberOf(set) - _sets.First) << 1 : SharedSets<T>.None);
        return graph;
    }

    /// <summary>The unions that are of use, in order of time.</summary>
    private List<long> Reachable(Graph graph)
    {
        var found = new List<long>();
        var open = new Stack<long>();
        foreach (var saved in graph.Keys)
        {
            saved.Standing.ForEach(standing => open.Push(standing.Set));
        }

        var seen = new HashSet<long>();
        while (open.TryPop(out long set))
        {
            if (set == SharedSets<T>.None || !seen.Add(set))
            {
                continue;
            }

            if (SharedSets<T>.IsTaking(set))
            {
                open.Push(_sets.TakingAt(set).Before);
                continue;
            }

            found.Add(set);
            var parts = _sets.PartsOf(set);
            open.Push(parts.Left);
            if (parts.RightLatest > _expired)
            {
                open.Push(parts.Right);
            }
        }

        return [.. found.OrderBy(set => _sets.PartsOf(set).Ticks).ThenBy(set => set)];
    }

    private static void Place(Graph graph, Func<long, long> place)
    {
        for (int i = 0; i < graph.Takings.Count; i++)
        {
            var (taking, owner) = graph.Takings[i];
            taking.Before = place(taking.Before);
            graph.Takings[i] = (taking, owner);
        }

        for (int i = 0; i < graph.Unions.Count; i++)
        {
            var union = graph.Unions[i];
            (union.Left, union.Right) = (place(union.Left), place(union.Right));
            graph.Unions[i] = union;
        }

        foreach (var saved in graph.Keys)
        {
            for (int i = 0; i < saved.Standing.Count; i++)
            {
                saved.Standing[i] = saved.Standing[i] with { Set = place(saved.Standing[i].Set) };
            }
        }
    }

    /// <summary>What several shards saved, each in order of time, becomes one in order of time.</summary>
    private void Rebuild(Graph graph)
    {
        int[] takings = [.. Enumerable.Range(0, graph.Takings.Count).OrderBy(i => graph.Takings[i].Taking.Ticks)];
        int[] unions = [.. Enumerable.Range(0, graph.Unions.Count).OrderBy(i => graph.Unions[i].Ticks)];
        int[] takingPlaces = Inverse(takings), unionPlaces = Inverse(unions);
        Place(graph, set => set == SharedSets<T>.None ? set
            : IsSavedUnion(set) ? SharedSets<T>.UnionOf(unionPlaces[set >> 1]) : SharedSets<T>.TakingOf(takingPlaces[set >> 1]));

        _fewer++;
        _keys.Clear();
        _sets.Reset(takings.Length, unions.Length);
        for (int i = 0; i < unions.Length; i++)
        {
            _sets.UnionAt(SharedSets<T>.UnionOf(i)) = graph.Unions[unions[i]];
        }

        for (int i = 0; i < takings.Length; i++)
        {
            var (taking, owner) = graph.Takings[takings[i]];
            (taking.Other, taking.Link) = (SharedSets<T>.None, SharedSets<T>.None);
            _sets.At(i) = taking;
            if (owner >= 0)
            {
                Own(ref _keys.At(PlaceOf(graph.Keys[owner])).State, SharedSets<T>.TakingOf(i));
            }
        }
    }

    private int PlaceOf(SavedKey saved)
    {
        int place = _keys.Find(saved.Key);
        if (place < 0)
        {
            place = _keys.Add(saved.Key);
            ref var sets = ref _keys.At(place).State;
            sets.Clear();
            sets.Put(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(saved.Standing));
            if (saved.Floor != long.MinValue)
            {
                sets.NeedRest().Floor = saved.Floor;
            }
        }

        return place;
    }

    private static int[] Inverse(int[] order)
    {
        int[] places = new int[order.Length];
        for (int i = 0; i < order.Length; i++)
        {
            places[order[i]] = i;
        }

        return places;
    }

    private sealed record SavedKey(TKey Key, long Floor, List<Standing> Standing);

    private sealed record Graph(List<SavedKey> Keys, List<(Taking<T> Taking, int Owner)> Takings, List<Joining> Unions);
}
