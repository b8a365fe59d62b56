using System.Globalization;

namespace IoT.Cep;

/// <summary>
/// The latest results, numbered. Every client reads them at its own pace, so a slow one costs no memory of its own: what it has not read when it is overwritten, it does not get.
/// </summary>
/// <param name="capacity">How many results.</param>
/// <param name="maxBytes">How many bytes they may have together.</param>
internal sealed class ResultRing(int capacity, long maxBytes)
{
    private readonly Lock _gate = new();
    private readonly byte[]?[] _results = new byte[capacity][];

    // Numbers begin anew with the process: a client that was there before must not take them for its own.
    private readonly string _epoch = Guid.NewGuid().ToString("N")[..8];
    private TaskCompletionSource _news = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _first;
    private long _next;
    private long _bytes;
    private bool _isEnded;

    internal bool IsEnded => Volatile.Read(ref _isEnded);

    /// <summary>Completes when there are more results than now, or it has ended. Take it before reading.</summary>
    internal Task News
    {
        get
        {
            lock (_gate)
            {
                return _news.Task;
            }
        }
    }

    /// <summary>The number that the next result gets.</summary>
    internal long Next
    {
        get
        {
            lock (_gate)
            {
                return _next;
            }
        }
    }

    internal void Append(byte[] result)
    {
        lock (_gate)
        {
            while (_next - _first >= capacity || (_bytes + result.Length > maxBytes && _first < _next))
            {
                ref byte[]? oldest = ref _results[_first % capacity];
                _bytes -= oldest!.Length;
                oldest = null;
                _first++;
            }

            _results[_next % capacity] = result;
            _bytes += result.Length;
            _next++;
        }
    }

    /// <summary>Wakes those who wait: once for several results.</summary>
    internal void Tell(bool isEnd = false)
    {
        TaskCompletionSource news;
        lock (_gate)
        {
            _isEnded |= isEnd;
            news = _news;
            _news = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        news.SetResult();
    }

    /// <summary>The result at a client's place, which moves on.</summary>
    /// <param name="place">The client's place.</param>
    /// <param name="lost">How many it does not get, because they are no longer kept.</param>
    /// <returns>Null where there is none yet.</returns>
    internal byte[]? Read(ref long place, out long lost)
    {
        lock (_gate)
        {
            lost = Math.Max(0, _first - place);
            place += lost;
            return place < _next ? _results[place++ % capacity] : null;
        }
    }

    internal string IdOf(long number) => string.Create(CultureInfo.InvariantCulture, $"{_epoch}-{number}");

    /// <summary>Where a client goes on that has seen a result: behind it, or at the first that is kept where it is from another run; at the end where it has seen none.</summary>
    internal long PlaceAfter(string? lastId)
    {
        lock (_gate)
        {
            if (string.IsNullOrEmpty(lastId))
            {
                return _next;
            }

            return lastId.Length > _epoch.Length + 1 && lastId.StartsWith(_epoch, StringComparison.Ordinal)
                && long.TryParse(lastId.AsSpan(_epoch.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out long seen) && seen < _next
                ? seen + 1 : _first;
        }
    }
}
