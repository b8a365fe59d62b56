namespace IoT.Cep;

/// <summary>A client's stay at an endpoint: who it is and what it may use.</summary>
internal interface IIngestAdmission : IDisposable
{
    Identity Identity { get; }

    /// <summary>Whether the connection has to end: the proof ended, or the identity was revoked.</summary>
    bool HasEnded { get; }

    /// <summary>Counts messages that came; the sender is made to wait for as long as this says.</summary>
    TimeSpan Take(int messages);

    /// <summary>Whether messages may go to a topic that this connection has not used lately.</summary>
    bool TryUseTopic(string topic);
}

/// <summary>What one identity has used of its limits, over all its connections to one endpoint.</summary>
internal sealed class IngestBudget(PrincipalLimits limits, TimeProvider time)
{
    private readonly HashSet<string> _topics = new(StringComparer.Ordinal);
    private long _hourBegan = time.GetTimestamp();
    private long _filled = time.GetTimestamp();
    private double _tokens = limits.Burst;

    internal int Connections { get; set; }

    internal TimeSpan Take(int messages)
    {
        lock (_topics)
        {
            long now = time.GetTimestamp();
            _tokens = Math.Min(limits.Burst, _tokens + (time.GetElapsedTime(_filled, now).TotalSeconds * limits.MessagesPerSecond)) - messages;
            _filled = now;
            return _tokens >= 0 ? TimeSpan.Zero : TimeSpan.FromSeconds(-_tokens / limits.MessagesPerSecond);
        }
    }

    internal bool TryUseTopic(string topic)
    {
        lock (_topics)
        {
            if (time.GetElapsedTime(_hourBegan) > TimeSpan.FromHours(1))
            {
                _topics.Clear();
                _hourBegan = time.GetTimestamp();
            }

            return _topics.Contains(topic) || (_topics.Count < limits.MaxTopics && _topics.Add(topic));
        }
    }
}

/// <summary>Lets clients in, and keeps the budgets of those who are there.</summary>
internal sealed class IngestGate(ListenerSecurity security, TimeProvider time)
{
    private readonly Dictionary<string, IngestBudget> _budgets = new(StringComparer.Ordinal);

    /// <returns>The stay, or why there is none.</returns>
    internal async ValueTask<(IIngestAdmission? Admission, MqttReason Reason)> AdmitAsync(ClientCredentials credentials, string clientId)
    {
        if (await security.AuthenticateAsync(credentials).ConfigureAwait(false) is not { } identity)
        {
            return (null, MqttReason.BadUserNameOrPassword);
        }

        if (!await security.AuthorizeAsync(identity, AccessAction.Connect, clientId).ConfigureAwait(false))
        {
            return (null, MqttReason.NotAuthorized);
        }

        lock (_budgets)
        {
            if (!_budgets.TryGetValue(identity.Name, out var budget))
            {
                _budgets[identity.Name] = budget = new IngestBudget(security.Limits, time);
            }

            if (budget.Connections >= security.Limits.MaxConnections && identity != Identity.Anonymous)
            {
                return (null, MqttReason.QuotaExceeded);
            }

            budget.Connections++;
            return (new Admission(this, identity, budget, time), MqttReason.Success);
        }
    }

    private void Leave(string name, IngestBudget budget)
    {
        lock (_budgets)
        {
            if (--budget.Connections == 0)
            {
                _budgets.Remove(name);
            }
        }
    }

    private sealed class Admission(IngestGate gate, Identity identity, IngestBudget budget, TimeProvider time) : IIngestAdmission
    {
        public Identity Identity => identity;

        public bool HasEnded => identity.Expires is { } expires && time.GetUtcNow() >= expires;

        public TimeSpan Take(int messages) => identity == Identity.Anonymous ? TimeSpan.Zero : budget.Take(messages);

        public bool TryUseTopic(string topic) => identity == Identity.Anonymous || budget.TryUseTopic(topic);

        public void Dispose() => gate.Leave(identity.Name, budget);
    }
}
