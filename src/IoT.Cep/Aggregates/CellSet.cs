using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The columns of a projection, and the rows of cells that no window needs at the moment.</summary>
internal sealed class CellSet<T>(AggregateColumn<T>[] columns)
{
    /// <summary>A window over many keys gives all its rows back at once; more than these are not kept for the next one.</summary>
    private const int MaxFree = 131_072;

    private readonly Stack<AggregateCell?[]> _free = new();

    internal void Add(ref AggregateCell?[]? row, in T value, long ticks)
    {
        foreach (var column in columns)
        {
            column.Select(in value);
        }

        // No user code but the accumulators' own from here on.
        row ??= NewRow();
        for (int i = 0; i < columns.Length; i++)
        {
            columns[i].Add(ref row[i], ticks);
        }
    }

    internal void Merge(ref AggregateCell?[]? row, AggregateCell?[]? other)
    {
        if (other is null)
        {
            return;
        }

        row ??= NewRow();
        for (int i = 0; i < columns.Length; i++)
        {
            columns[i].Merge(ref row[i], other[i]);
        }
    }

    internal void Release(ref AggregateCell?[]? row)
    {
        if (row is null)
        {
            return;
        }

        if (_free.Count < MaxFree)
        {
            for (int i = 0; i < columns.Length; i++)
            {
                columns[i].Clear(ref row[i]);
            }

            _free.Push(row);
        }

        row = null;
    }

    internal static void Save(StateWriter writer, AggregateCell?[]? row)
    {
        writer.Int32(row is null ? -1 : row.Length);
        foreach (var cell in row ?? [])
        {
            if (cell is null)
            {
                writer.Int32(0);
            }
            else
            {
                cell.Save(writer);
            }
        }
    }

    internal static AggregateCell?[]? Load(StateReader reader)
    {
        int count = reader.Int32();
        if (count < 0)
        {
            return null;
        }

        var row = new AggregateCell?[count];
        for (int i = 0; i < count; i++)
        {
            // Which accumulator it is, the projection says when it runs.
            row[i] = RestoredCell.Load(reader);
        }

        return row;
    }

    private AggregateCell?[] NewRow() => _free.Count > 0 ? _free.Pop() : new AggregateCell?[columns.Length];
}
