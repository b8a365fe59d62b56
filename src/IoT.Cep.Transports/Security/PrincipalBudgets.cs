using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace IoT.Cep;

/// <summary>
/// The budgets of those who came: a bounded table. One that nobody has used for an hour, and that has no connection, is forgotten; in a full table without such
/// a one a new principal is refused, since an unknown name must not push out what others have used.
/// </summary>
internal sealed class PrincipalBudgets
{
    /// <summary>For listeners' own dashboards; the principal is no tag, since there may be many.</summary>
    private static readonly Meter _meter = new("IoT.Cep.Listeners");

    private static readonly Counter<long> _refusals =
        _meter.CreateCounter<long>("iot_cep_listener_refused", "{refusal}", "What went past a limit of one principal, by limit.");

    private static readonly TimeSpan _logPause = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, PrincipalBudget> _budgets = new(StringComparer.Ordinal);
    private readonly PrincipalLimits _limits;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly int _capacity;
    private readonly long _lifetime;
    private readonly Lock _gate = new();
    private readonly long[] _refused = new long[Enum.GetValues<PrincipalLimit>().Length];
    private long _nextSweep;
    private long _nextLog;
    private long _sinceLog;

    internal PrincipalBudgets(PrincipalLimits limits, int capacity, TimeProvider time, ILogger logger)
    {
        (_limits, _capacity, _time, _logger) = (limits, capacity, time, logger);
        _lifetime = time.TimestampFrequency * 3600;
    }

    internal int Count => _budgets.Count;

    internal long Refused(PrincipalLimit limit) => Interlocked.Read(ref _refused[(int)limit]);

    /// <summary>The budget of a name; null: the table is full.</summary>
    /// <param name="name">The name.</param>
    /// <param name="isUnlimited">Whether the rates of this one are not counted.</param>
    internal PrincipalBudget? Of(string name, bool isUnlimited)
    {
        if (_budgets.TryGetValue(name, out var known))
        {
            known.Touch();
            return known;
        }

        lock (_gate)
        {
            if (_budgets.TryGetValue(name, out known))
            {
                known.Touch();
                return known;
            }

            if (_budgets.Count >= _capacity)
            {
                Forget();
            }

            if (_budgets.Count >= _capacity)
            {
                CountRefusal(name, PrincipalLimit.Connections);
                return null;
            }

            return _budgets[name] = new PrincipalBudget(name, _limits, isUnlimited, _time, CountRefusal);
        }
    }

    // Each look costs as much as the table is long, so it is taken once in a while.
    private void Forget()
    {
        long now = _time.GetTimestamp();
        if (now < _nextSweep)
        {
            return;
        }

        foreach (var (name, budget) in _budgets)
        {
            if (budget.TryRemove(now - _lifetime))
            {
                _budgets.TryRemove(name, out _);
            }
        }

        _nextSweep = now + (10 * _time.TimestampFrequency);
    }

    private void CountRefusal(string name, PrincipalLimit limit)
    {
        Interlocked.Increment(ref _refused[(int)limit]);
        _refusals.Add(1, new KeyValuePair<string, object?>("limit", Name(limit)));
        Interlocked.Increment(ref _sinceLog);
        long next = Volatile.Read(ref _nextLog), now = _time.GetTimestamp();
        if (now >= next && Interlocked.CompareExchange(ref _nextLog, now + (long)(_logPause.TotalSeconds * _time.TimestampFrequency), next) == next)
        {
            SecurityLog.Limited(_logger, Extensibility.SafeText.Escape(name, 64), Name(limit), Interlocked.Exchange(ref _sinceLog, 0));
        }
    }

    private static string Name(PrincipalLimit limit) => limit switch
    {
        PrincipalLimit.Messages => "messages",
        PrincipalLimit.Topics => "topics",
        PrincipalLimit.InFlight => "in_flight",
        _ => "connections",
    };
}
