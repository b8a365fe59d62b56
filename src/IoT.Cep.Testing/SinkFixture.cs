using IoT.Cep.Extensibility;

namespace IoT.Cep.Testing;

/// <summary>What a contract needs to try a sink: its store or peer, rows to write, and a look at what is in place. Made anew for each rule.</summary>
/// <typeparam name="T">The row's type.</typeparam>
public abstract class SinkFixture<T> : IAsyncDisposable
{
    /// <summary>Connection options, as an engine gives them to the sink.</summary>
    public Connections Connections { get; } = new();

    /// <summary>Whether each row is in place exactly once, also when a write had failed before; else at least once. Default: no.</summary>
    public virtual bool IsExact => false;

    /// <summary>Whether <see cref="BadRow"/> gives a row that the sink rejects. Default: no.</summary>
    public virtual bool HasBadRow => false;

    /// <summary>Whether the store can be broken (<see cref="BreakAsync"/>). Default: no.</summary>
    public virtual bool CanBreak => false;

    /// <summary>How long anything may take before the contract gives it up. Default: 30 seconds, for a loaded machine.</summary>
    public virtual TimeSpan Patience => TimeSpan.FromSeconds(30);

    /// <summary>Starts the store and makes the sink. Called once.</summary>
    /// <param name="stop">Gives up.</param>
    public abstract ValueTask<IAsyncSink<T>> StartAsync(CancellationToken stop);

    /// <summary>Row number i.</summary>
    /// <param name="i">Its number, from 0.</param>
    public abstract T Row(int i);

    /// <summary>A row that can never be written.</summary>
    public virtual T BadRow() => throw new NotSupportedException("The fixture says that it has a bad row, and gives none.");

    /// <summary>The numbers of the rows that are in place, in the order in which they came there.</summary>
    /// <param name="count">How many there are to be: wait for so many where the store is told later.</param>
    /// <param name="stop">Gives up waiting; give what there is then.</param>
    public abstract ValueTask<IReadOnlyList<int>> WrittenAsync(int count, CancellationToken stop);

    /// <summary>Makes writing fail: the store is away, or locked.</summary>
    public virtual ValueTask BreakAsync() => throw new NotSupportedException("The fixture says that its store can be broken, and does not break it.");

    /// <summary>Makes writing possible again.</summary>
    public virtual ValueTask RepairAsync() => ValueTask.CompletedTask;

    /// <summary>Ends the store.</summary>
    public abstract ValueTask DisposeAsync();
}
