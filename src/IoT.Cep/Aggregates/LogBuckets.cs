using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Counts by bucket number in a dense array over the numbers that occur, at most <see cref="MaxBuckets"/> wide: where more are needed the lowest become
/// one. Which are lost follows from the highest number alone, so the counts do not depend on the order of adding and merging.
/// </summary>
internal record struct LogBuckets
{
    /// <summary>At 1 % these reach from a value to 6e17 times as much.</summary>
    internal const int MaxBuckets = 2048;

    private const int FirstLength = 16;

    private long[]? _counts;
    private int _first;
    private int _highest;

    internal long Total { readonly get; private set; }

    internal void Add(int bucket, long count)
    {
        if (count == 0)
        {
            return;
        }

        Open(bucket);
        _counts![Math.Max(bucket, Lowest) - _first] += count;
        Total += count;
    }

    internal void Remove(int bucket)
    {
        ref long count = ref _counts![Math.Max(bucket, Lowest) - _first];
        if (count > 0)
        {
            count--;
            Total--;
        }
    }

    internal void Merge(in LogBuckets other)
    {
        for (int i = 0; other.Total > 0 && i < other._counts!.Length; i++)
        {
            Add(other._first + i, other._counts[i]);
        }
    }

    internal void Clear()
    {
        _counts?.AsSpan().Clear();
        Total = 0;
    }

    /// <summary>The bucket of the value with so many below it.</summary>
    internal readonly int BucketAt(long rank)
    {
        long seen = 0;
        int i = 0;
        for (; i < _counts!.Length && seen + _counts[i] <= rank; i++)
        {
            seen += _counts[i];
        }

        return _first + i;
    }

    internal readonly void Save(StateWriter writer)
    {
        writer.Int32(_first);
        writer.Int32(_highest);
        SavedArrays.Write<long>(writer, _counts);
    }

    internal void Load(StateReader reader)
    {
        (_first, _highest, _counts) = (reader.Int32(), reader.Int32(), SavedArrays.Read<long>(reader));
        foreach (long count in _counts)
        {
            Total += count;
        }

        SavedArrays.Require(_counts.Length <= MaxBuckets && (Total == 0 || (_highest >= _first && _highest - _first < _counts.Length)));
        _counts = _counts.Length == 0 ? null : _counts;
    }

    private readonly int Lowest => _highest - MaxBuckets + 1;

    /// <summary>Makes the array reach from the bucket, or the lowest that is kept, to the highest.</summary>
    private void Open(int bucket)
    {
        if (Total == 0)
        {
            // Kept for reuse, it starts again around the first value.
            _counts ??= new long[FirstLength];
            (_highest, _first) = (bucket, bucket - (_counts.Length / 2));
            return;
        }

        int highest = Math.Max(_highest, bucket);
        int lowest = Math.Max(Math.Min(_first, bucket), highest - MaxBuckets + 1);
        if (lowest < _first || highest >= _first + _counts!.Length)
        {
            Move(lowest, highest);
        }

        _highest = highest;
    }

    private void Move(int lowest, int highest)
    {
        long[] old = _counts!;
        int used = highest - lowest + 1;
        int length = Math.Min(MaxBuckets, Math.Max(used, old.Length * 2));

        // What is to spare lies on the side towards which it grew. No longer than the most buckets, it never reaches below the lowest that is kept.
        int first = lowest < _first ? highest - length + 1 : lowest;
        long[] moved = new long[length];
        for (int i = 0; i < old.Length; i++)
        {
            if (old[i] != 0)
            {
                moved[Math.Max(_first + i, first) - first] += old[i];
            }
        }

        (_counts, _first) = (moved, first);
    }
}
