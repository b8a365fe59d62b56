using System.Buffers;
using System.Threading.Channels;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// What an engine could not process. The latest are kept to look at; <c>cep.From(cep.DeadLetters)</c> makes a stream of them, to store.
/// </summary>
public sealed class DeadLetters : ISource<DeadLetter>
{
    /// <summary>How much of a payload a dead letter keeps, in bytes.</summary>
    public const int PrefixBytes = 64;

    /// <summary>How many of the latest dead letters <see cref="Latest"/> gives.</summary>
    public const int LatestCount = 100;

    private const int StreamCapacity = 65_536;

    private readonly Lock _gate = new();
    private readonly Queue<DeadLetter> _latest = new();
    private readonly long[] _counts = new long[Enum.GetValues<DeadLetterReason>().Length];
    private readonly TimeProvider _clock;
    private Channel<DeadLetter>? _stream;
    private long _unstored;

    internal DeadLetters(TimeProvider clock) => _clock = clock;

    /// <inheritdoc/>
    public string Name => "dead letters";

    /// <inheritdoc/>
    public bool IsBounded => false;

    /// <summary>How many there were.</summary>
    public long Count
    {
        get
        {
            lock (_gate)
            {
                return _counts.Sum();
            }
        }
    }

    /// <summary>How many did not get into the stream because it was full; they are counted all the same.</summary>
    public long NotStreamed => Interlocked.Read(ref _unstored);

    /// <summary>The latest ones, oldest first.</summary>
    public IReadOnlyList<DeadLetter> Latest
    {
        get
        {
            lock (_gate)
            {
                return [.. _latest];
            }
        }
    }

    /// <summary>How many there were of a reason.</summary>
    /// <param name="reason">The reason.</param>
    public long CountOf(DeadLetterReason reason)
    {
        lock (_gate)
        {
            return _counts[(int)reason];
        }
    }

    /// <inheritdoc/>
    public async Task RunAsync(SourceWriter<DeadLetter> writer, ConnectionContext context, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(writer);
        var one = new DeadLetter[1];
        var reader = Stream().Reader;
        while (await reader.WaitToReadAsync(stop).ConfigureAwait(false))
        {
            while (reader.TryRead(out var letter))
            {
                one[0] = letter;
                await writer.WriteAsync(one, default).ConfigureAwait(false);
            }
        }
    }

    internal void Add(DeadLetterReason reason, string source, string topic, string detail, ReadOnlySequence<byte> payload)
    {
        Span<byte> prefix = stackalloc byte[PrefixBytes];
        int length = (int)Math.Min(PrefixBytes, payload.Length);
        payload.Slice(0, length).CopyTo(prefix);
        Add(new DeadLetter(reason, source, SafeText.Escape(topic), SafeText.Escape(detail), SafeText.Escape(prefix[..length]), _clock.GetUtcNow()));
    }

    internal void Add(DeadLetterReason reason, string source, string detail, object? value) => Add(
        new DeadLetter(reason, source, "", SafeText.Escape(detail), SafeText.Escape(value?.ToString(), PrefixBytes * 4), _clock.GetUtcNow()),

        // A letter about a letter would come back to the query that failed on it, and so on for ever.
        isStreamed: value is not DeadLetter);

    /// <summary>No more will come; the stream ends when all were read.</summary>
    internal void Complete() => Stream().Writer.TryComplete();

    /// <summary>From now on they are kept for the stream.</summary>
    internal void Open() => Stream();

    private Channel<DeadLetter> Stream()
    {
        lock (_gate)
        {
            return _stream ??= Channel.CreateBounded<DeadLetter>(new BoundedChannelOptions(StreamCapacity) { SingleReader = true });
        }
    }

    private void Add(DeadLetter letter, bool isStreamed = true)
    {
        Channel<DeadLetter>? stream;
        lock (_gate)
        {
            _counts[(int)letter.Reason]++;
            _latest.Enqueue(letter);
            if (_latest.Count > LatestCount)
            {
                _latest.Dequeue();
            }

            stream = isStreamed ? _stream : null;
        }

        if (stream is not null && !stream.Writer.TryWrite(letter))
        {
            Interlocked.Increment(ref _unstored);
        }
    }
}
