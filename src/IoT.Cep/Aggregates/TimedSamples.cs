using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What an aggregate that keeps values does when a window of one key has more of them than its limit.</summary>
public enum WhenFull
{
    /// <summary>The window's result is an <see cref="AggregateLimitException"/>, under the query's error policy: never a wrong number.</summary>
    Fail,

    /// <summary>The earliest values by event time stay.</summary>
    KeepFirst,

    /// <summary>The latest values by event time stay.</summary>
    KeepLast,
}

/// <summary>A value at a time.</summary>
internal readonly record struct Sample<T>(long Ticks, T Value);

/// <summary>
/// The values of a window in order of their times, those at one time in order of arrival: what an aggregate needs that depends on the order and is
/// asked for before the last late event came. A value in order is appended; one out of order moves those behind it, found by bisection.
/// </summary>
internal record struct TimedSamples<T>(int Limit, WhenFull WhenFull) : ITimedAccumulator<T, TimedSamples<T>>, ISaveable
{
    private const int FirstLength = 8;

    private Sample<T>[]? _samples;
    private int _count;
    private bool _isExceeded;

    /// <summary>The values, at most <see cref="Limit"/> of them.</summary>
    /// <exception cref="AggregateLimitException">There were more, and they are not to be left out.</exception>
    internal readonly ReadOnlySpan<Sample<T>> Samples
    {
        get
        {
            if (_isExceeded && WhenFull == WhenFull.Fail)
            {
                throw new AggregateLimitException(Limit, "Raise its limit (maxSamples), or make the windows smaller.");
            }

            // Where the latest stay, more are held than asked for, so that they are moved seldom.
            return _count <= Limit ? _samples.AsSpan(0, _count)
                : WhenFull == WhenFull.KeepLast ? _samples.AsSpan(_count - Limit, Limit) : _samples.AsSpan(0, Limit);
        }
    }

    private readonly int Room => WhenFull == WhenFull.KeepLast ? 2 * Limit : Limit;

    public void Add(in T value, long ticks)
    {
        int at = _count == 0 || _samples![_count - 1].Ticks <= ticks ? _count : PlaceOf(ticks);
        if (_count == Room && !MakeRoom(ref at))
        {
            return;
        }

        Grow(_count + 1);
        _samples.AsSpan(at, _count - at).CopyTo(_samples.AsSpan(at + 1));
        _samples![at] = new Sample<T>(ticks, value);
        _count++;
    }

    public void Merge(in TimedSamples<T> other)
    {
        _isExceeded |= other._isExceeded || (WhenFull == WhenFull.Fail && _count + other._count > Limit);
        if (other._count == 0 || (_isExceeded && WhenFull == WhenFull.Fail))
        {
            return;
        }

        // From behind, so that nothing is moved twice; at one time ours came first.
        int ours = _count - 1, theirs = other._count - 1;
        Grow(_count + other._count);
        _count += other._count;
        for (int to = _count - 1; theirs >= 0; to--)
        {
            _samples![to] = ours >= 0 && _samples[ours].Ticks > other._samples![theirs].Ticks ? _samples[ours--] : other._samples![theirs--];
        }

        Trim();
    }

    public bool TryClear()
    {
        if (_samples is not null)
        {
            // An array grown by one busy window is not held for all that follow.
            if (_samples.Length > 64 && _count * 4 < _samples.Length)
            {
                _samples = null;
            }
            else if (RuntimeHelpers.IsReferenceOrContainsReferences<T>())
            {
                _samples.AsSpan(0, _count).Clear();
            }
        }

        _count = 0;
        _isExceeded = false;
        return true;
    }

    public readonly void Save(StateWriter writer)
    {
        writer.Int32(Limit);
        writer.Byte((byte)WhenFull);
        writer.Boolean(_isExceeded);
        var samples = _samples.AsSpan(0, _count);
        writer.Int32(samples.Length);
        if (!RuntimeHelpers.IsReferenceOrContainsReferences<T>())
        {
            writer.Bytes(MemoryMarshal.CreateReadOnlySpan(
                ref Unsafe.As<Sample<T>, byte>(ref MemoryMarshal.GetReference(samples)), samples.Length * Unsafe.SizeOf<Sample<T>>()));
            return;
        }

        var codec = StateCodec.Require<T>();
        foreach (ref readonly var sample in samples)
        {
            writer.Int64(sample.Ticks);
            codec.Write(writer, sample.Value);
        }
    }

    public void Load(StateReader reader)
    {
        this = new TimedSamples<T>(reader.Int32(), (WhenFull)reader.Byte()) { _isExceeded = reader.Boolean() };
        int count = reader.Int32();
        SavedArrays.Require(count >= 0 && count <= Room);
        if (!RuntimeHelpers.IsReferenceOrContainsReferences<T>())
        {
            var bytes = reader.Bytes().Span;
            SavedArrays.Require(bytes.Length == count * Unsafe.SizeOf<Sample<T>>());
            Grow(count);
            bytes.CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.As<Sample<T>, byte>(ref MemoryMarshal.GetReference(_samples.AsSpan())), bytes.Length));
            _count = count;
            return;
        }

        var codec = StateCodec.Require<T>();
        for (; _count < count; _count++)
        {
            Grow(_count + 1);
            long ticks = reader.Int64();
            _samples![_count] = new Sample<T>(ticks, codec.Read(reader));
        }
    }

    /// <summary>Behind all at or before the time.</summary>
    private readonly int PlaceOf(long ticks)
    {
        int low = 0, high = _count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_samples![middle].Ticks <= ticks)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }

    /// <summary>Gives up a value, or says that the new one is to be given up.</summary>
    private bool MakeRoom(ref int at)
    {
        _isExceeded = true;
        switch (WhenFull)
        {
            case WhenFull.KeepFirst when at < _count:
                _count--;
                return true;
            case WhenFull.KeepLast:
                at -= _count - Limit;
                Trim();
                return at >= 0;
            default:
                return false;
        }
    }

    private void Trim()
    {
        int extra = _count - Limit;
        if (extra <= 0)
        {
            return;
        }

        if (WhenFull == WhenFull.KeepLast)
        {
            _samples.AsSpan(extra, Limit).CopyTo(_samples);
        }

        _samples.AsSpan(Limit, extra).Clear();
        _count = Limit;
    }

    private void Grow(int count)
    {
        if (_samples is null || count > _samples.Length)
        {
            int length = Math.Max(count, Math.Min(Room, Math.Max(FirstLength, (_samples?.Length ?? 0) * 2)));
            Array.Resize(ref _samples, length);
        }
    }
}
