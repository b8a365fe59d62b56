using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What <c>Explain</c> prints of an operator, and the name its saved state goes by.</summary>
internal sealed record OperatorInfo(int Id, string Name, string Text, string Stage, IReadOnlyList<int> Next);

/// <summary>A running operator. A shard owns it on one thread at a time, so it needs no lock.</summary>
internal abstract class Operator : IDisposable
{
    internal OperatorInfo? Info { get; set; }

    /// <summary>Whether an event of one key more than allowed becomes a dead letter, whatever the query's error policy.</summary>
    internal virtual bool RefusesKeys { get; set; }

    /// <summary>
    /// What is wrong with an event whose error says little, or null: asked when the error is there, so that a null key costs nothing where there is none.
    /// </summary>
    internal Func<object?, string?>? Diagnose { get; set; }

    /// <summary>Which result was made last, by key and window: asked when its projection has thrown.</summary>
    internal Func<string?>? DescribeResult { get; set; }

    /// <summary>Whether it can let idle keys go in favour of new ones.</summary>
    internal virtual bool EvictsKeys => false;

    /// <summary>Whether it has state that checkpoints save.</summary>
    internal virtual bool IsStateful => false;

    internal virtual void Save(StateWriter writer)
    {
    }

    internal virtual void Load(StateReader reader)
    {
    }

    /// <summary>Takes another's name and its ways with errors: to who reads them both are one operator.</summary>
    internal void StandFor(Operator other)
    {
        Info ??= other.Info;
        RefusesKeys = other.RefusesKeys;
        Diagnose = other.Diagnose;
    }

    public void Dispose() => Release();

    /// <summary>Gives pooled buffers back.</summary>
    protected virtual void Release()
    {
    }
}

/// <summary>Takes what runs through a chain: events, watermarks, completion and error, and nothing else.</summary>
internal abstract class Operator<T> : Operator
{
    internal abstract void OnEvents(in Batch<T> batch);

    /// <summary>No event before this time is expected any more; one that comes all the same is late.</summary>
    internal abstract void OnWatermark(long watermark);

    internal abstract void OnCompleted();

    internal abstract void OnError(Exception error);

    /// <summary>
    /// The source's connected running time, in ticks: told before each batch and ten times a second, to queries with keys that keep a time of their own. It
    /// ends at the operator that uses it, and at whatever has several inputs.
    /// </summary>
    internal virtual void OnRunningTime(long running)
    {
    }

    /// <summary>
    /// The source has no say about time: it has said nothing since it began, or has had no connection, for its idle bound. Told when that begins and when it
    /// ends, in order with events and watermarks. Time stands on this stream; a union waits for it no longer.
    /// </summary>
    internal virtual void OnReleased(bool isReleased)
    {
    }
}

/// <summary>An operator that runs user code: errors are caught here and nowhere else, and end in the query's policy.</summary>
internal abstract class Operator<TIn, TOut>(Operator<TOut> next, QueryContext query) : Operator<TIn>
{
    /// <summary>The event at which user code runs; a stateful operator sets it before each call.</summary>
    protected int Position;

    protected Operator<TOut> Next => next;

    protected QueryContext Query => query;

    /// <summary>
    /// Whether a batch has no effect until all of it was processed. Such an operator is re-entered event by event after an error;
    /// any other has applied what stands before <see cref="Position"/> and is re-entered behind it. Asked when the error is there.
    /// </summary>
    protected virtual bool IsAtomic => false;

    /// <summary>
    /// Whether it was a result's projection that threw: then the event at <see cref="Position"/> is not to blame, and is processed again once the
    /// result was dropped. Asked when the error is there.
    /// </summary>
    protected virtual bool IsGivingOut => false;

    internal sealed override void OnEvents(in Batch<TIn> batch)
    {
        try
        {
            Process(in batch);
        }
        catch (Exception error) when (error is not QueryException)
        {
            Recover(in batch, error);
        }
    }

    internal sealed override void OnWatermark(long watermark)
    {
        while (true)
        {
            try
            {
                Advance(watermark);
                return;
            }
            catch (Exception error) when (error is not QueryException)
            {
                SkipResult(error);
            }
        }
    }

    internal sealed override void OnCompleted()
    {
        while (true)
        {
            try
            {
                Complete();
                return;
            }
            catch (Exception error) when (error is not QueryException)
            {
                SkipResult(error);
            }
        }
    }

    internal sealed override void OnError(Exception error) => next.OnError(error);

    internal override void OnRunningTime(long running) => next.OnRunningTime(running);

    internal override void OnReleased(bool isReleased) => next.OnReleased(isReleased);

    /// <summary>Processes a batch. User selectors run before state is touched.</summary>
    protected abstract void Process(in Batch<TIn> batch);

    /// <summary>Moves time on; called again from where it failed after a result's projection threw.</summary>
    protected virtual void Advance(long watermark) => next.OnWatermark(watermark);

    /// <summary>The input has ended; called again from where it failed after a result's projection threw.</summary>
    protected virtual void Complete() => next.OnCompleted();

    /// <summary>Drops the result whose projection threw, so that <see cref="Advance"/> can go on behind it.</summary>
    protected virtual void DropResult() => throw new System.Diagnostics.UnreachableException("This operator has no projection.");

    /// <summary>Applies the policy to what a result's projection threw, and drops the result.</summary>
    private protected void SkipResult(Exception error)
    {
        query.Fail(error, this, null, 0, DescribeResult?.Invoke());
        DropResult();
    }

    private void Recover(in Batch<TIn> batch, Exception error)
    {
        var rest = batch;
        Exception? next = error;
        while (next is not null)
        {
            if (IsAtomic)
            {
                for (int i = 0; i < rest.Length; i++)
                {
                    RecoverOne(rest.Slice(i, 1));
                }

                return;
            }

            int from = Position;
            if (IsGivingOut)
            {
                SkipResult(next);
            }
            else
            {
                query.Fail(next, this, rest.Events[from], rest.Ticks[from]);
                from++;
            }

            rest = rest.Slice(from, rest.Length - from);
            next = TryProcess(in rest);
        }
    }

    private void RecoverOne(in Batch<TIn> single)
    {
        if (TryProcess(in single) is { } error)
        {
            query.Fail(error, this, single.Events[0], single.Ticks[0]);
        }
    }

    private Exception? TryProcess(in Batch<TIn> batch)
    {
        Position = 0;
        try
        {
            if (batch.Length > 0)
            {
                Process(in batch);
            }

            return null;
        }
        catch (Exception error) when (error is not QueryException)
        {
            return error;
        }
    }
}
