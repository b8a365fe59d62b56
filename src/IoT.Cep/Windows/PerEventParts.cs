namespace IoT.Cep;

/// <summary>What an operator of windows per event is made of, whatever way its states are kept.</summary>
/// <param name="Next">Where results go.</param>
/// <param name="Query">The query, for its error policy and counters.</param>
/// <param name="Windows">The windows.</param>
/// <param name="Key">The key.</param>
/// <param name="Result">Makes a result of a window's state.</param>
/// <param name="Keys">The key groups that this shard owns.</param>
/// <param name="Identity">Whether results carry their identity.</param>
/// <param name="Use">Which aggregates are asked for, where only those are kept.</param>
internal sealed record PerEventParts<TKey, T, TResult, TState>(
    Operator<TResult> Next, QueryContext Query, PerEventWindows Windows, KeySelector<TKey, T> Key, IWindowResult<TKey, TState, TResult> Result,
    KeyRange Keys, bool Identity, IAggregateUse? Use)
    where TKey : notnull
    where TState : struct;
