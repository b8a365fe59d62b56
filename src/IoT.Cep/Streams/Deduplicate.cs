using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What <c>Deduplicate</c> does with a new id when it holds as many as allowed.</summary>
public enum DeduplicateOverflow
{
    /// <summary>The id kept longest is forgotten before its time and counted in <see cref="Query.ForgottenIds"/>: a duplicate of it would pass.</summary>
    ForgetOldest,

    /// <summary>The event fails with a <see cref="KeyLimitException"/>, under the query's error policy.</summary>
    Fail,
}

public static partial class EventStreamExtensions
{
    /// <summary>
    /// Keeps an event unless one of its key with the same id was kept less than <paramref name="within"/> before it; in order of event time, when the
    /// watermark reaches it. A duplicate does not prolong the time: the first event of an id passes, and the first at or after its end. Remembers
    /// each id for that long, at most <paramref name="maxIds"/> of all keys together: they bound the keys as well, whatever <c>KeyBy</c> says. Late
    /// events are left out and counted. The events lose their identity: a store appends them.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TId">The id's type: a value with equality.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="by">The event's id, compared within its key: a message number, or a tuple of what makes two events the same.</param>
    /// <param name="within">How long an id is remembered, in event time.</param>
    /// <param name="maxIds">How many ids are held at a time, by each shard; about 40 bytes each beside key and id. 1,000,000 by default.</param>
    /// <param name="whenFull">What happens to one more.</param>
    /// <param name="text">The source text of <paramref name="by"/>, for <c>Explain</c>; the compiler fills it in.</param>
    public static IKeyedStream<TKey, T> Deduplicate<TKey, T, TId>(
        this IKeyedStream<TKey, T> stream, Func<T, TId> by, TimeSpan within, int maxIds = 1_000_000,
        DeduplicateOverflow whenFull = DeduplicateOverflow.ForgetOldest, [CallerArgumentExpression(nameof(by))] string text = "")
        where TKey : notnull
        where TId : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(by);
        var limits = new DeduplicateLimits(Positive(within), AtLeastOne(maxIds), Defined(whenFull));
        stream.Node.RequireAppendOnly("Deduplicate");
        return new KeyedStream<TKey, T>(
            new DeduplicateNode<TKey, TId, T>(
                stream.Node, stream.Key, by, limits, $"Deduplicate {StreamExtensions.Shorten(text)} within {within} {stream.Key.ByTime}, {limits}"),
            stream.Key.InSourceTime);
    }

    /// <summary>
    /// The same over all events, without a key: the id alone says what is a duplicate, and spreads the work over the engine's shards. A number, text
    /// or a Guid costs no allocation; a tuple or record is hashed by its text, so rather put one part of it into <c>KeyBy</c>.
    /// </summary>
    /// <inheritdoc cref="Deduplicate{TKey, T, TId}"/>
    public static IEventStream<T> Deduplicate<T, TId>(
        this IEventStream<T> stream, Func<T, TId> by, TimeSpan within, int maxIds = 1_000_000,
        DeduplicateOverflow whenFull = DeduplicateOverflow.ForgetOldest, [CallerArgumentExpression(nameof(by))] string text = "")
        where TId : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(by);
        var limits = new DeduplicateLimits(Positive(within), AtLeastOne(maxIds), Defined(whenFull));
        stream.Node.RequireAppendOnly("Deduplicate");
        var id = new KeySelector<TId, T>(by, StreamExtensions.Shorten(text), maxIds);
        return new DeduplicateNode<TId, Unit, T>(stream.Node, id, null, limits, $"Deduplicate {id.Text} within {within}, {limits}").ToStream();
    }

    private static int AtLeastOne(int count, [CallerArgumentExpression(nameof(count))] string name = "")
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1, name);
        return count;
    }

    private static TEnum Defined<TEnum>(TEnum value, [CallerArgumentExpression(nameof(value))] string name = "")
        where TEnum : struct, Enum =>
        Enum.IsDefined(value) ? value : throw new ArgumentOutOfRangeException(name, value, $"Choose one of {string.Join(", ", Enum.GetNames<TEnum>())}.");
}

internal sealed record DeduplicateLimits(TimeSpan Within, int MaxIds, DeduplicateOverflow WhenFull)
{
    /// <summary>Whether the limit is one of ids, and not of keys.</summary>
    internal bool IsOfIds { get; init; } = true;

    public override string ToString() => FormattableString.Invariant($"at most {MaxIds:N0} ids{(WhenFull == DeduplicateOverflow.Fail ? ", then fails" : "")}");
}

/// <summary>Without ids of their own, events of one key are duplicates of each other.</summary>
internal record DeduplicateNode<TKey, TId, T>(
    StreamNode<T> Source, KeySelector<TKey, T> Key, Func<T, TId>? Id, DeduplicateLimits Limits, string Line) : KeyedNode<TKey, T, T>(Source, Key)
    where TKey : notnull
    where TId : notnull
{
    internal override string Text => Line;

    internal override void Build(Plan plan, Operator<T> next) => plan.BuildKeyed(
        this, Input, Key, next, (output, keys) => new DeduplicateOperator<TKey, TId, T>(output, plan.Query, this, keys));
}

internal sealed class DeduplicateOperator<TKey, TId, T>(Operator<T> next, QueryContext query, DeduplicateNode<TKey, TId, T> node, KeyRange keys)
    : OrderedOperator<T, T>(next, query, node.Input.IsOrdered)
    where TKey : notnull
    where TId : notnull
{
    private readonly OrderedOutput<T> _output = new(next);

    // State that checkpoints save: the ids that were kept, due to be forgotten.
    private readonly DueKeys<Scoped, Unit> _ids = new(node.Limits.MaxIds);

    /// <summary>How many ids are remembered.</summary>
    internal int Ids => _ids.Count;

    protected override void ProcessOrdered(in Batch<T> batch)
    {
        for (int i = 0; i < batch.Length; i++)
        {
            Position = i;
            long ticks = batch.Ticks[i];
            ref readonly var value = ref batch.Events[i];
            Forget(ticks);
            var id = new Scoped(node.Key.Select(value), node.Id is null ? default! : node.Id(value));
            if (_ids.Find(id, out uint hash) >= 0)
            {
                continue;
            }

            MakeRoom();
            byte group = (byte)StableHash.GroupOf(id.Key);
            _ids.Add(id, hash, group, Ticks.Plus(ticks, node.Limits.Within.Ticks));
            _output.Add(value, ticks, group);
        }
    }

    protected override void OnTime(long watermark)
    {
        Forget(watermark);
        _output.Flush();
    }

    protected override void OnEnd() => _output.Flush();

    protected override bool OwnsOnLoad(T value) => keys.Owns(node.Key.Select, value);

    internal override void Save(StateWriter writer)
    {
        base.Save(writer);
        var (keyCodec, idCodec) = (StateCodec.Require<TKey>(), StateCodec.Require<TId>());
        writer.Int32(_ids.Count);
        for (int i = _ids.First; i >= 0; i = _ids.NextOf(i))
        {
            keyCodec.Write(writer, _ids.KeyAt(i).Key);
            idCodec.Write(writer, _ids.KeyAt(i).Id);
            writer.Int64(_ids.DueAt(i));
        }

        _output.Save(writer, static (w, value) => StateCodec.Require<T>().Write(w, value), static (_, _) => { });
    }

    internal override void Load(StateReader reader)
    {
        base.Load(reader);
        var (keyCodec, idCodec) = (StateCodec.Require<TKey>(), StateCodec.Require<TId>());
        var loaded = new List<(Scoped, byte, long, Unit)>();
        for (int count = reader.Int32(); count > 0; count--)
        {
            var id = new Scoped(keyCodec.Read(reader), idCodec.Read(reader));
            long due = reader.Int64();
            byte group = (byte)StableHash.GroupOf(id.Key);
            if (keys.Contains(group))
            {
                loaded.Add((id, group, due, default));
            }
        }

        _ids.Merge(loaded);
        _output.Load(reader, keys, static r => StateCodec.Require<T>().Read(r), static _ => null);
    }

    protected override void Release()
    {
        base.Release();
        _output.Dispose();
    }

    private void MakeRoom()
    {
        var limits = node.Limits;
        if (_ids.Count < limits.MaxIds)
        {
            return;
        }

        if (limits.WhenFull == DeduplicateOverflow.ForgetOldest)
        {
            _ids.Remove(_ids.First);
            Interlocked.Increment(ref Query.ForgottenIds);
        }
        else if (limits.IsOfIds)
        {
            throw new KeyLimitException(
                limits.MaxIds, $"Deduplicate met more than {limits.MaxIds:N0} ids at a time. Raise the limit with maxIds, or remember them for less time (within).");
        }
    }

    private void Forget(long time)
    {
        while (_ids.IsDue(time))
        {
            _ids.Remove(_ids.First);
        }
    }

    /// <summary>An id within its key. The key alone says which shard it belongs to.</summary>
    private readonly record struct Scoped(TKey Key, TId Id);
}
