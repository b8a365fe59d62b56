using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Where a query is in its life.</summary>
public enum QueryState
{
    /// <summary>Declared, or running.</summary>
    Active,

    /// <summary>Its input ended and all results were given out.</summary>
    Completed,

    /// <summary>The user's code threw, or its sink can't work; see <see cref="Query.Error"/>. It stays so when it is taken out.</summary>
    Failed,

    /// <summary>It was taken out of the engine.</summary>
    Removed,
}

/// <summary>A registered query: a name, a picture, a life.</summary>
public sealed class Query : IDisposable
{
    private readonly Plan _plan;
    private readonly CepEngine _engine;

    internal Query(CepEngine engine, Plan plan, ISinkWorker? worker)
    {
        _engine = engine;
        _plan = plan;
        Worker = worker;
    }

    /// <summary>The name, once in the engine; by default the sink's.</summary>
    public string Name => _plan.Query.Name;

    /// <summary>Where it is in its life.</summary>
    public QueryState State { get; private set; }

    /// <summary>What stopped it, or null.</summary>
    public Exception? Error { get; private set; }

    /// <summary>Events that windows, patterns, absence and the verbs that need order could not use, because time had passed them.</summary>
    public long LateEvents => Volatile.Read(ref _plan.Query.LateEvents);

    /// <summary>Late events that windows with <see cref="WindowSpec.LateIntoOpen"/> moved to a time that they still took.</summary>
    public long MovedEvents => Volatile.Read(ref _plan.Query.MovedEvents);

    /// <summary>Events that became dead letters because their key was one more than <c>KeyBy(..., maxKeys)</c> allows, under <see cref="WhenKeysFull.Refuse"/>.</summary>
    public long RefusedEvents => Volatile.Read(ref _plan.Query.RefusedEvents);

    /// <summary>Keys that gave way to others under <see cref="WhenKeysFull.EvictIdle"/>.</summary>
    public long EvictedKeys => Volatile.Read(ref _plan.Query.EvictedKeys);

    /// <summary>Events that became dead letters because the user's code threw.</summary>
    public long SkippedEvents => Volatile.Read(ref _plan.Query.SkippedEvents);

    /// <summary>Events that left windows per event before their time, because a key had as many as allowed (<see cref="WindowOverflow.DropOldest"/>).</summary>
    public long DroppedWindowEvents => Volatile.Read(ref _plan.Query.DroppedWindowEvents);

    /// <summary>Partial matches that gave way because a key had as many as allowed.</summary>
    public long DiscardedPartialMatches => Volatile.Read(ref _plan.Query.DiscardedPartialMatches);

    /// <summary>Ids that <c>Deduplicate</c> forgot before their time, because it held as many as allowed: duplicates of them would have passed.</summary>
    public long ForgottenIds => Volatile.Read(ref _plan.Query.ForgottenIds);

    /// <summary>
    /// Events that <c>Reorder</c> released early or dropped, because it held as many as allowed; and those that patterns, absence, windows and verbs that need
    /// order took before their time, because they held <see cref="CepEngineOptions.MaxHeldEvents"/>.
    /// </summary>
    public long OverflowedEvents => Volatile.Read(ref _plan.Query.OverflowedEvents);

    /// <summary>The sink's counters; null where the sink is called on the shard's thread.</summary>
    public SinkStatistics? Sink => Worker?.Statistics;

    internal ISinkWorker? Worker { get; }

    /// <summary>The sources whose messages this query's sink acknowledges.</summary>
    internal List<(AckTracker Tracker, AckTracker.Sink Sink)> Trackers { get; } = [];

    internal bool IsOverDeadLetters => _plan.Inputs.Any(input => input is Ingress<DeadLetter>);

    internal Plan Plan => _plan;

    /// <summary>The plan that runs, as text: one line for each operator with its stage and where its output goes.</summary>
    public string Explain() => _plan.Explain();

    /// <summary>The plan that runs, as a Mermaid flow chart.</summary>
    public string ExplainMermaid() => _plan.ExplainMermaid();

    /// <summary>
    /// Why a pattern of this query did not match: of a key's partial matches that began in a time, the one that came furthest, the step that it waited for, and what ended it.
    /// </summary>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <param name="key">The key.</param>
    /// <param name="from">The first time at which the partial match may have begun.</param>
    /// <param name="to">The last one.</param>
    /// <returns>Null where no pattern of the query is matched by such a key.</returns>
    /// <exception cref="InvalidOperationException">No pattern of the query remembers: <c>Match(pattern, remember: 1_000)</c>.</exception>
    /// <remarks>May be called on any thread. Reads a bounded ring of the last partial matches; what it no longer holds is not found.</remarks>
    public WhyNot? WhyNot<TKey>(TKey key, DateTimeOffset from, DateTimeOffset to)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(key);
        var operators = _plan.Operators.OfType<ITellsWhyNot>().ToList();
        if (!operators.Exists(one => one.Remembers))
        {
            throw new InvalidOperationException($"No pattern of the query '{Name}' remembers what became of its partial matches: say so with Match(pattern, remember: 1_000).");
        }

        return operators.Select(one => one.WhyNot(key, Ticks.From(from), Ticks.From(to))).MaxBy(one => one?.Length ?? -1)?.Why;
    }

    /// <summary>A match of this query's pattern, as text: each event with its time, its step and the condition that it met.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="match">The match.</param>
    /// <exception cref="ArgumentException">It is another query's match.</exception>
    public string Explain<T>(Match<T> match) => _plan.Operators.OfType<ITellsWhyNot>().Any(one => one.Shapes.Contains(match.Shape))
        ? match.Explain()
        : throw new ArgumentException($"The match is not of the query '{Name}'.", nameof(match));

    /// <summary>Takes the query out of the engine: it gets no more events, and its open windows are dropped.</summary>
    public void Dispose() => _engine.Remove(this);

    internal void OnFailed(Exception error)
    {
        if (State == QueryState.Active)
        {
            State = QueryState.Failed;
            Error = error;
            _plan.Detach();
            Log.QueryStopped(_engine.Logger, Name, SafeText.Escape(error.Message, 500));
        }
    }

    internal void OnCompleted() => State = State == QueryState.Active ? QueryState.Completed : State;

    internal void OnRemoved() => State = State == QueryState.Failed ? State : QueryState.Removed;
}
