using System.Runtime.CompilerServices;

namespace IoT.Cep;

public static partial class EventStreamExtensions
{
    /// <summary>
    /// Gives each event a key: windows, patterns and absence are then kept for each key apart, spread over the engine's shards.
    /// Costs nothing by itself.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TKey">The key's type: a value with equality (text, a number, a tuple or record of such). SQLite does not store results keyed by a record.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="key">
    /// Called once for each event and operator. On several shards equal keys must also print alike, where they are records: a tuple's parts are looked
    /// at one by one, but a record with <c>1.0m</c> and one with <c>1.00m</c>, or one instant in two offsets, may go to two shards.
    /// </param>
    /// <param name="maxKeys">
    /// How many keys an operator may hold at a time, on each shard. Tumbling windows whose results are given once count the keys of one window; in all their open windows
    /// together there may be four times as many states, or 1,000,000 where that is more.
    /// </param>
    /// <param name="whenFull">What happens to one more: by default a <see cref="KeyLimitException"/> in the query.</param>
    /// <param name="text">The selector's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public static IKeyedStream<TKey, T> KeyBy<T, TKey>(
        this IEventStream<T> stream, Func<T, TKey> key, int maxKeys = 1_000_000, WhenKeysFull whenFull = WhenKeysFull.Fail,
        [CallerArgumentExpression(nameof(key))] string text = "")
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(key);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxKeys, 1);
        return new KeyedStream<TKey, T>(stream.Node, new KeySelector<TKey, T>(key, StreamExtensions.Shorten(text), maxKeys, whenFull));
    }
}
