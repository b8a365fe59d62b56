using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>How panes are saved. A key goes by its place among those that are saved.</summary>
internal sealed partial class SharedPanes<T, TState, TValue, TKernel>
{
    private enum Part : byte
    {
        End,
        Open,
        Back,
        Raw,
        Front,
    }

    internal void Save(StateWriter writer, ReadOnlySpan<int> numbers)
    {
        foreach (var pane in _open)
        {
            Save(writer, Part.Open, 0, pane, numbers);
        }

        for (int i = 0; i < _series.Length; i++)
        {
            if (_series[i].Back is { } back)
            {
                Save(writer, Part.Back, i, back, numbers);
            }

            foreach (var pane in _series[i].Raw)
            {
                Save(writer, Part.Raw, i, pane, numbers);
            }

            foreach (var pane in _series[i].Front)
            {
                Save(writer, Part.Front, i, pane, numbers);
            }
        }

        writer.Byte((byte)Part.End);
    }

    /// <summary>Takes in the panes that a shard saved.</summary>
    /// <param name="reader">What it saved.</param>
    /// <param name="numbers">The keys' numbers here, by their places there; -1 for keys of other shards.</param>
    internal void Load(StateReader reader, int[] numbers)
    {
        var fronts = new List<PaneColumn<TState>>();
        for (var part = (Part)reader.Byte(); part != Part.End; part = (Part)reader.Byte())
        {
            int series = reader.Int32();
            long start = reader.Int64(), end = reader.Int64();
            switch (part)
            {
                case Part.Open:
                    Read(reader, Insert(_open, start, end).States, numbers);
                    break;
                case Part.Raw:
                    Read(reader, Insert(_series[series].Raw, start, end).States, numbers);
                    break;
                case Part.Back:
                    var back = _series[series].Back ??= _pool.Rent(start, end);
                    back.Start = Math.Min(back.Start, start);
                    Read(reader, back.States, numbers);
                    break;
                default:
                    fronts.Add(_pool.Rent(start, end));
                    Read(reader, fronts[^1].States, numbers);
                    break;
            }
        }

        Join(fronts);
    }

    /// <summary>
    /// Front states stand at the panes that had events, of which each shard had others. A pane that only others had is, for a shard's keys, the next
    /// one that it had itself.
    /// </summary>
    private void Join(List<PaneColumn<TState>> fronts)
    {
        var series = _series[0];
        fronts.ForEach(front => EnsureFront(series, front.Start, front.End));
        foreach (var front in series.Front)
        {
            var from = fronts.Find(saved => saved.Start >= front.Start);
            for (int i = 0; from is not null && i < _pool.Used; i++)
            {
                _kernel.Merge(ref front.States[i], in from.States[i]);
            }
        }

        fronts.ForEach(front => _pool.Return(front));
    }

    private void Save(StateWriter writer, Part part, int series, PaneColumn<TState> column, ReadOnlySpan<int> numbers)
    {
        writer.Byte((byte)part);
        writer.Int32(series);
        writer.Int64(column.Start);
        writer.Int64(column.End);
        for (int i = 0; i < numbers.Length; i++)
        {
            if (_kernel.HasEvents(in column.States[numbers[i]]))
            {
                writer.Int32(i);
                _kernel.Save(writer, in column.States[numbers[i]]);
            }
        }

        writer.Int32(-1);
    }

    private void Read(StateReader reader, TState[] states, int[] numbers)
    {
        for (int place = reader.Int32(); place >= 0; place = reader.Int32())
        {
            var state = _kernel.Load(reader);
            if (numbers[place] >= 0)
            {
                states[numbers[place]] = state;
            }
        }
    }
}
