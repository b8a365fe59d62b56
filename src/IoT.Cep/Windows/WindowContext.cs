namespace IoT.Cep;

/// <summary>
/// What a <see cref="WindowGroup{TKey, T}"/> shows besides its simple aggregates. One for all windows of an operator, filled before each projection: the
/// group is two references then, which stay in registers, where a struct of all this would be written in parts and copied as a whole, and the processor
/// waits for that.
/// </summary>
internal sealed class WindowContext<TKey, T>(Projection<T> projection)
{
    internal readonly Projection<T> Projection = projection;
    internal TKey Key = default!;
    internal long Start;
    internal long End;
    internal Firing Firing;
    internal int Revision;
    internal AggregateCell?[]? Row;

    internal void Show(in WindowInfo<TKey> info, AggregateCell?[]? row)
    {
        Key = info.Key;
        Start = info.StartTicks;
        End = info.EndTicks;
        Firing = info.Firing;
        Revision = info.Revision;
        Row = row;
    }
}
