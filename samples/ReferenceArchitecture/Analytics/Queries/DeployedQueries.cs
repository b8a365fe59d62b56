using System.Text.Json;

using IoT.Cep;
using IoT.Cep.Extensibility;
using IoT.Reference.Analytics.Ingest;
using IoT.Reference.Analytics.Rules;
using IoT.Reference.Analytics.Storage;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Queries;

/// <summary>
/// Queries that operators deploy while everything runs: small declarations, never code. A deployed query begins with the next reading; one that is taken away gets no more, and its open windows are
/// dropped. They are kept over restarts.
/// </summary>
internal sealed class DeployedQueries(BusStreams bus, Store store, Func<string, ISink<Signal>> alerts)
{
    /// <summary>How many run, and how often one may be deployed while a process runs: what one held is let go only with the engine.</summary>
    internal const int MaxQueries = 50, MaxDeployments = 2_000;

    private const string Kind = "query";

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Query> _running = [];
    private int _deployments;

    public bool Has(string name)
    {
        lock (_gate)
        {
            return _running.ContainsKey(name);
        }
    }

    /// <summary>Those of the process before.</summary>
    public void Restore()
    {
        foreach (string body in store.Read(c => c.Rows(row => row.GetString(0), "SELECT body FROM documents WHERE kind = @kind ORDER BY name", ("@kind", Kind))))
        {
            if (JsonSerializer.Deserialize(body, WireJson.Default.QueryDeployment) is { } query && QueryText.Check(query) is null)
            {
                lock (_gate)
                {
                    _running[query.Name] = Start(query);
                }
            }
        }
    }

    /// <returns>What is wrong; null: it runs.</returns>
    public string? Deploy(QueryDeployment query, IReadOnlyCollection<string> others)
    {
        if (QueryText.Check(query) is { } wrong)
        {
            return wrong;
        }

        lock (_gate)
        {
            if (others.Contains(query.Name))
            {
                return "A query of this name runs: take it away first, or choose another name.";
            }

            if (_running.Count >= MaxQueries || _deployments >= MaxDeployments)
            {
                return "Too many queries were deployed; take some away, or restart this layer.";
            }

            _running[query.Name] = Start(query);
            store.Write(c => c.Run(
                "INSERT OR REPLACE INTO documents VALUES (@kind, @name, @body)", ("@kind", Kind), ("@name", query.Name), ("@body", JsonSerializer.Serialize(query, WireJson.Default.QueryDeployment))));
        }

        return null;
    }

    /// <returns>Whether there was one.</returns>
    public bool Remove(string name)
    {
        lock (_gate)
        {
            if (!_running.Remove(name, out var query))
            {
                return false;
            }

            query.Dispose();
            store.Write(c => c.Run("DELETE FROM documents WHERE kind = @kind AND name = @name", ("@kind", Kind), ("@name", name)));
            return true;
        }
    }

    private Query Start(QueryDeployment query)
    {
        _deployments++;
        var passes = QueryText.Filter(query.Filter);
        var having = QueryText.Comparison(query.Having);
        return bus.ByEventTime.Where(r => passes(r)).KeyBy(r => r.Device, whenFull: WhenKeysFull.Refuse).TimelinePerKey(bus.Disorder, TimeSpan.FromSeconds(1))
            .Window(Window.Tumbling(TimeSpan.FromSeconds(query.WindowSeconds)))
            .Select(w => new Outcome(w.Key, w.End, w.Count(), w.Sum(r => r.Value), w.Min(r => r.Value), w.Max(r => r.Value)))
            .Select(o => (Outcome: o, Value: o.Of(query.Aggregate)))
            .Select(o => new Signal(
                query.Name, o.Outcome.Device, having(o.Value), query.Severity, FormattableString.Invariant($"{query.Aggregate} {o.Value:0.###} in {query.WindowSeconds:0.#} s"), o.Value,
                o.Outcome.End, default))
            .To(alerts(query.Name), query.Name, ErrorPolicy.Skip);
    }

    private readonly record struct Outcome(string Device, DateTimeOffset End, long Count, double Sum, double Min, double Max)
    {
        public double Of(string aggregate) => aggregate switch
        {
            "count" => Count,
            "sum" => Sum,
            "min" => Min,
            "max" => Max,
            _ => Sum / Count,
        };
    }
}

/// <summary>Checks a <see cref="QueryDeployment"/>, and makes functions of its conditions.</summary>
internal static class QueryText
{
    private const int MaxConditions = 10;

    private static readonly string[] _operators = ["=", "!=", "<", "<=", ">", ">="];
    private static readonly string[] _aggregates = ["count", "sum", "average", "min", "max"];

    /// <returns>What is wrong; null: nothing.</returns>
    public static string? Check(QueryDeployment query)
    {
        if (!DeviceIds.IsValid(query.Name))
        {
            return "name: 1 to 64 of a-z, 0-9 and -.";
        }

        if (query.Filter is null || query.Filter.Count > MaxConditions)
        {
            return $"filter: a list of at most {MaxConditions} conditions.";
        }

        if (!(query.WindowSeconds >= 1 && query.WindowSeconds <= 86_400))
        {
            return "windowSeconds: 1 to 86,400.";
        }

        if (!_aggregates.Contains(query.Aggregate))
        {
            return $"aggregate: {string.Join(", ", _aggregates)}.";
        }

        foreach (var condition in query.Filter)
        {
            if (Check(condition, condition?.Field is "device" or "name", "device", "name", "value") is { } wrong)
            {
                return "filter: " + wrong;
            }
        }

        return Check(query.Having, false, "aggregate") is { } having ? "having: " + having : null;
    }

    public static Func<Reading, bool> Filter(IReadOnlyList<QueryCondition> conditions)
    {
        var all = conditions.Select(One).ToArray();
        return reading =>
        {
            foreach (var condition in all)
            {
                if (!condition(reading))
                {
                    return false;
                }
            }

            return true;
        };
    }

    public static Func<double, bool> Comparison(QueryCondition condition)
    {
        double value = condition.Value.GetDouble();
        return condition.Op switch
        {
            "=" => x => x == value,
            "!=" => x => x != value,
            "<" => x => x < value,
            "<=" => x => x <= value,
            ">" => x => x > value,
            _ => x => x >= value,
        };
    }

    private static Func<Reading, bool> One(QueryCondition condition)
    {
        if (condition.Field == "value")
        {
            var compare = Comparison(condition);
            return r => compare(r.Value);
        }

        string text = condition.Value.GetString()!;
        bool isEqual = condition.Op == "=";
        return condition.Field == "device" ? r => (r.Device == text) == isEqual : r => (r.Name == text) == isEqual;
    }

    private static string? Check(QueryCondition? condition, bool isText, params ReadOnlySpan<string> fields)
    {
        if (condition is null || !fields.Contains(condition.Field))
        {
            return $"a condition is about {string.Join(", ", fields!)}.";
        }

        if (!_operators.Contains(condition.Op) || (isText && condition.Op is not ("=" or "!=")))
        {
            return $"a condition compares by {string.Join(' ', _operators)}; text by = and != only.";
        }

        return condition.Value.ValueKind == (isText ? JsonValueKind.String : JsonValueKind.Number) ? null : "a number is compared with a number, text with text.";
    }
}
