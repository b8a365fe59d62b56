using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The compiled form of one query: its operators in order of building, sink first, and how its inputs are attached.</summary>
internal sealed class Plan(QueryContext query, StageSet stages, TimeProvider clock, bool wantsIdentity = false) : IDisposable
{
    private readonly List<Operator> _operators = [];
    private readonly Dictionary<Operator, int> _ids = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, int> _names = [];
    private readonly List<Func<IDisposable>> _starts = [];
    private readonly List<IDisposable> _attached = [];
    private readonly List<IDisposable> _hops = [];
    private readonly Dictionary<object, Operator> _forks = new(ReferenceEqualityComparer.Instance);
    private string _stage = "";
    private readonly Lock _gate = new();
    private volatile bool _disposing;
    private bool _disposed;
    private int _depth;

    internal QueryContext Query => query;

    internal StageSet Stages => stages;

    internal TimeProvider Clock => clock;

    /// <summary>Whether the sink wants to know which result is which.</summary>
    internal bool WantsIdentity => wantsIdentity;

    /// <summary>Whether keys keep a time of their own, for which the source tells its running time.</summary>
    internal bool WantsRunningTime { get; set; }

    internal IReadOnlyList<Operator> Operators => _operators;

    /// <summary>Compiles a stream into operators that end in <paramref name="terminal"/>.</summary>
    internal void Compile<T>(StreamNode<T> node, Operator<T> terminal, string text)
    {
        _stage = stages.Of(node.Depth).Name;
        Register(terminal, "Sink", text, []);
        node.Build(this, terminal);
    }

    internal TOperator Add<TOut, TOperator>(StreamNode<TOut> node, TOperator built, params Operator[] next)
        where TOperator : Operator
    {
        _stage = stages.Of(node.Depth).Name;
        Register(built, node.Name ?? node.GetType().Name.Split('`')[0].Replace("Node", "", StringComparison.Ordinal), node.Text, next);
        return built;
    }

    /// <summary>Builds a keyed operator with state: once, or once for each shard with an exchange before and a gathering behind.</summary>
    internal void BuildKeyed<TKey, T, TResult>(
        StreamNode<TResult> node, StreamNode<T> input, KeySelector<TKey, T> key, Operator<TResult> next,
        Func<Operator<TResult>, KeyRange, Operator<T>> make, bool usesKeyTime = false, WindowSpec? windows = null)
        where TKey : notnull
    {
        if (key.Timeline is not null)
        {
            WantsRunningTime = true;
            if (!usesKeyTime)
            {
                var makeOne = make;
                make = (output, keys) => PerKey(key, output, keys, one => makeOne(one, keys), windows);
            }
        }

        int shards = stages.Shards;
        if (shards == 1)
        {
            input.Build(this, Add(node, WithPolicy(node, key, make(next, KeyRange.All)), next));
            return;
        }

        var tail = stages.Of(input.Depth + 1);
        var from = stages.Of(input.Depth);
        _stage = tail.Name;
        var gather = new GatherOperator<TResult>(next, shards);
        Register(gather, "Gather", "Gather shards in order of time", [next]);
        var routes = new Operator<T>[shards];
        for (int i = 0; i < shards; i++)
        {
            var shard = stages.Shard(input.Depth + 1, i);
            shard.AddOutput(tail);
            from.AddOutput(shard);
            var back = Own(new Hop<TResult>(tail, gather.Inputs[i]));
            _stage = shard.Name;
            string? name = node.Name ?? node.GetType().Name.Split('`')[0].Replace("Node", "", StringComparison.Ordinal);
            var built = WithPolicy(node, key, make(back, new KeyRange(i, shards)));
            Register(built, name, node.Text, [gather], isShard: i > 0);
            routes[i] = Own(new Hop<T>(shard, built));
            _ids[routes[i]] = _ids[built];
        }

        _stage = from.Name;
        var router = new RouterOperator<TKey, T>(query, key.Select, routes) { Diagnose = key.Diagnose };
        Register(router, "Router", typeof(TKey) == typeof(Unit) ? $"Exchange, all events to one of {shards} shards" : $"Exchange {key.By} over {shards} shards", routes);
        input.Build(this, router);
    }

    /// <summary>Runs an operator in the time of each key.</summary>
    private OperatorPerKey<TKey, T, TResult> PerKey<TKey, T, TResult>(
        KeySelector<TKey, T> key, Operator<TResult> next, KeyRange keys, Func<Operator<TResult>, Operator<T>> make, WindowSpec? windows)
        where TKey : notnull
    {
        // One that gets no event says what kind it is.
        using var model = make(next);
        return model is ITellsWhyNot tells
            ? new MatcherPerKey<TKey, T, TResult>(next, query, key, keys, make, tells)
            : new OperatorPerKey<TKey, T, TResult>(next, query, key, keys, make, windows);
    }

    private static Operator<T> WithPolicy<TKey, T, TResult>(StreamNode<TResult> node, KeySelector<TKey, T> key, Operator<T> built)
        where TKey : notnull
    {
        if (key.WhenFull == WhenKeysFull.EvictIdle && !built.EvictsKeys)
        {
            built.Dispose();
            throw new NotSupportedException(
                $"'{node.Text}' can't let idle keys go: KeyBy(..., whenFull: WhenKeysFull.EvictIdle) is for windows that follow from time alone. Use WhenKeysFull.Refuse, or a higher maxKeys.");
        }

        built.Diagnose = key.Diagnose;
        built.RefusesKeys = key.WhenFull == WhenKeysFull.Refuse;
        return built;
    }

    /// <summary>What an operator does once behind all its shards is no operator of its own to who reads the plan: it leads where the one behind it stands.</summary>
    internal Operator<T> PartBefore<T>(Operator<T> part, Operator next)
    {
        _ids[part] = _ids[next];
        return part;
    }

    /// <summary>Where an input of a union runs on an earlier stage than the union, its events change stages.</summary>
    internal Operator<T> Gather<T>(StreamNode<T> node, int depth, UnionOperator<T> union, Operator<T> input)
    {
        var (from, to) = (stages.Of(node.Depth), stages.Of(depth));
        _ids[input] = _ids[union];
        if (from == to)
        {
            return input;
        }

        from.AddOutput(to);
        var hop = Own(new Hop<T>(to, input));
        _ids[hop] = _ids[union];
        return hop;
    }

    /// <summary>Hangs an operator on one output of a fork, which is built with the first of its outputs that the query uses.</summary>
    internal void BuildOutput<T>(StreamNode<T> node, Fork<T> fork, int output, Operator<T> next)
    {
        if (_forks.TryGetValue(fork, out var built))
        {
            ((ForkOperator<T>)built).Attach(output, next);
            var info = built.Info!;
            built.Info = info with { Text = fork.Text, Next = [.. info.Next.Append(_ids[next]).Distinct()] };
            return;
        }

        var made = fork.Make(next, query);
        made.Attach(output, next);
        _forks[fork] = made;
        fork.Input.Build(this, Add(node, made, next));
    }

    /// <summary>Adds what attaches the built chain to its input.</summary>
    internal void AddStart(Func<IDisposable> start) => _starts.Add(start);

    /// <summary>The sources that the query reads.</summary>
    internal List<IIngress> Inputs { get; } = [];

    internal void AddInput(IIngress input) => Inputs.Add(input);

    /// <summary>Takes the query off its inputs.</summary>
    internal void Detach()
    {
        IDisposable[] attached;
        lock (_attached)
        {
            attached = [.. _attached];
            _attached.Clear();
        }

        foreach (var one in attached)
        {
            one.Dispose();
        }
    }

    internal void Start()
    {
        foreach (var start in _starts)
        {
            var attached = start();
            lock (_attached)
            {
                _attached.Add(attached);
            }
        }
    }

    /// <summary>Runs a stream in place: on the caller's thread, with no engine.</summary>
    internal static IDisposable Run<T>(StreamNode<T> node, IObserver<T> observer)
    {
        var plan = new Plan(new QueryContext("in place", ErrorPolicy.Stop, null), new StageSet(1), TimeProvider.System);
        plan.Compile(node, new ObserverOperator<T>(observer, plan.Query), "Subscribe");
        plan.Start();
        return plan;
    }

    internal void Save(StateWriter writer)
    {
        using var matches = MatchCodec.In(_operators);
        writer.Int32(1);
        var stateful = _operators.Where(o => o.IsStateful).GroupBy(o => o.Info!.Name).ToList();
        writer.Int32(stateful.Count);
        foreach (var group in stateful)
        {
            writer.Text(group.Key);
            writer.Int32(group.Count());
            foreach (var one in group)
            {
                var part = new StateWriter();
                one.Save(part);
                writer.Bytes(part.Written.Span);
            }
        }
    }

    internal void Load(StateReader reader)
    {
        using var matches = MatchCodec.In(_operators);
        int version = reader.Int32();
        if (version != 1)
        {
            throw new InvalidDataException($"Saved state has version {version}; this library reads version 1.");
        }

        for (int groups = reader.Int32(); groups > 0; groups--)
        {
            string name = reader.Text()!;
            for (int parts = reader.Int32(); parts > 0; parts--)
            {
                var part = reader.Bytes();
                foreach (var one in _operators.Where(o => o.IsStateful && o.Info!.Name == name))
                {
                    one.Load(new StateReader(part));
                }
            }
        }
    }

    internal string Explain()
    {
        var text = new StringBuilder($"query {query.Name}\n");
        foreach (var info in _operators.Select(o => o.Info!).Reverse())
        {
            text.Append($"  {info.Id,2}  [{info.Stage}]  {info.Text}");
            text.Append(info.Next.Count == 0 ? "\n" : $"  -> {string.Join(", ", info.Next)}\n");
        }

        return text.ToString();
    }

    internal string ExplainMermaid()
    {
        var text = new StringBuilder("flowchart LR\n");
        foreach (var stage in _operators.Select(o => o.Info!).Reverse().GroupBy(i => i.Stage))
        {
            text.Append($"  subgraph {stage.Key.Replace(' ', '_')} [\"{stage.Key}\"]\n");
            foreach (var info in stage)
            {
                text.Append($"    n{info.Id}[\"{info.Text.Replace("\"", "&quot;", StringComparison.Ordinal)}\"]\n");
            }

            text.Append("  end\n");
        }

        foreach (var info in _operators.Select(o => o.Info!).Reverse())
        {
            foreach (int next in info.Next)
            {
                text.Append($"  n{info.Id} --> n{next}\n");
            }
        }

        return text.ToString();
    }

    public void Dispose()
    {
        Detach();
        _disposing = true;
        (_operators.FirstOrDefault() as IStoppable)?.Stop();
        if (_gate.TryEnter())
        {
            try
            {
                ReleaseIfIdle();
            }
            finally
            {
                _gate.Exit();
            }
        }
    }

    /// <summary>
    /// One event at a time in place, also where a union has producers on several threads; and nobody gives buffers back while another thread, or
    /// the caller's own loop, is at work on them.
    /// </summary>
    internal void Enter()
    {
        _gate.Enter();
        _depth++;
    }

    internal void Leave()
    {
        _depth--;
        ReleaseIfIdle();
        _gate.Exit();
    }

    private void ReleaseIfIdle()
    {
        if (!_disposing || _disposed || _depth > 0)
        {
            return;
        }

        _disposed = true;
        foreach (var one in _hops.Concat(_operators))
        {
            one.Dispose();
        }
    }

    private Hop<T> Own<T>(Hop<T> hop)
    {
        _hops.Add(hop);
        return hop;
    }

    private void Register(Operator built, string kind, string text, Operator[] next, bool isShard = false)
    {
        if (!isShard)
        {
            _names[kind] = _names.GetValueOrDefault(kind) + 1;
        }

        string name = _names[kind] == 1 ? kind : $"{kind} {_names[kind]}";
        _ids[built] = _operators.Count;
        built.Info = new OperatorInfo(_operators.Count, name, text, _stage, [.. next.Select(o => _ids[o]).Distinct()]);
        _operators.Add(built);
    }
}
