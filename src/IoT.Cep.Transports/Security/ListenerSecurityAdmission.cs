using System.Collections.Concurrent;

namespace IoT.Cep;

// Who is connected, what they use, and how they are made to go.
public sealed partial class ListenerSecurity
{
    private readonly ConcurrentDictionary<Admission, bool> _admitted = new();
    private readonly Lock _made = new();
    private PrincipalBudgets? _budgets;
    private Decisions? _decisions;
    private int _revocations;

    /// <summary>Raised by <see cref="Revoke"/> with the identity's name, after its remembered decisions are forgotten. What it calls must not block and must not throw.</summary>
    public event Action<string>? Revoked;

    /// <summary>Connections that are open at the listeners of this object.</summary>
    public int Admitted => _admitted.Count;

    /// <summary>How often <see cref="Revoke"/> was called: what a listener has remembered of a client since before, it has to find out anew.</summary>
    public int Revocations => Volatile.Read(ref _revocations);

    // Made at the first use: they need what the initialiser sets.
    private PrincipalBudgets Budgets
    {
        get
        {
            if (Volatile.Read(ref _budgets) is { } budgets)
            {
                return budgets;
            }

            lock (_made)
            {
                return _budgets ??= new PrincipalBudgets(Limits, MaxPrincipals, TimeProvider, Logger);
            }
        }
    }

    private Decisions RecentDecisions
    {
        get
        {
            if (Volatile.Read(ref _decisions) is { } decisions)
            {
                return decisions;
            }

            lock (_made)
            {
                return _decisions ??= new Decisions(MaxDecisions, DecisionLifetime, TimeProvider);
            }
        }
    }

    /// <summary>How often a limit was passed.</summary>
    /// <param name="limit">The limit.</param>
    public long Refused(PrincipalLimit limit) => Budgets.Refused(limit);

    /// <summary>What an identity has used. One and the same object for a name, as long as it is in use; ask anew for each request or connection.</summary>
    /// <param name="identity">Who.</param>
    /// <returns>Null where more identities than <see cref="MaxPrincipals"/> came lately: refuse it.</returns>
    public PrincipalBudget? BudgetOf(Identity identity)
    {
        ArgumentNullException.ThrowIfNull(identity);
        return Budgets.Of(identity.Name, isUnlimited: IsEveryone(identity));
    }

    /// <summary>
    /// Lets a client in, or not: finds out who it is, counts the connection, asks <see cref="Authorize"/> whether it may connect. For connections that stay; a request that is answered
    /// at once takes <see cref="AuthenticateAsync"/>, <see cref="AuthorizeAsync"/> and <see cref="BudgetOf"/>.
    /// </summary>
    /// <param name="credentials">What it brought.</param>
    /// <param name="clientName">Its name, for <see cref="AccessAction.Connect"/>: text from the network.</param>
    /// <returns>Dispose it when the connection is closed. <see cref="Admission.Ended"/> tells when it has to be.</returns>
    public ValueTask<Admission> AdmitAsync(ClientCredentials credentials, string clientName)
    {
        ArgumentNullException.ThrowIfNull(credentials);
        ArgumentNullException.ThrowIfNull(clientName);
        return AdmitNamedAsync(credentials, clientName);
    }

    /// <summary>Lets a client in that has no other name than its identity's, which is what <see cref="AccessAction.Connect"/> is asked about; else as for one with a name.</summary>
    /// <param name="credentials">What it brought.</param>
    /// <returns>Dispose it when the connection is closed. <see cref="Admission.Ended"/> tells when it has to be.</returns>
    public ValueTask<Admission> AdmitAsync(ClientCredentials credentials)
    {
        ArgumentNullException.ThrowIfNull(credentials);
        return AdmitNamedAsync(credentials, null);
    }

    /// <summary>
    /// Counts a connection that stays, of a client that a listener has found out about by itself (<see cref="AuthenticateAsync"/>, <see cref="AuthorizeAsync"/>): a web server's request that
    /// becomes a WebSocket. Look at <see cref="Revocations"/> afterwards: a revocation since the client was found out about did not know of this connection yet.
    /// </summary>
    /// <param name="identity">Who.</param>
    /// <returns>Dispose it when the connection is closed. <see cref="Admission.Ended"/> tells when it has to be.</returns>
    public Admission Admit(Identity identity)
    {
        ArgumentNullException.ThrowIfNull(identity);
        if (Begin(identity) is not { } admission)
        {
            return new Admission(AdmissionRefusal.TooManyConnections);
        }

        admission.WatchExpiry(TimeProvider);
        return admission;
    }

    /// <summary>
    /// Makes what an identity may do be looked at again: forgets the decisions and closes its connections, within a second. It may come back if it can still prove who it is and
    /// <see cref="Authorize"/> allows it: so first change what these say, then revoke.
    /// </summary>
    /// <param name="identityName">The identity's name.</param>
    public void Revoke(string identityName)
    {
        ArgumentException.ThrowIfNullOrEmpty(identityName);
        Interlocked.Increment(ref _revocations);
        RecentDecisions.Clear();
        int closed = 0;
        foreach (var (admission, _) in _admitted)
        {
            if (admission.Identity.Name == identityName)
            {
                admission.End();
                closed++;
            }
        }

        SecurityLog.Revoked(Logger, Extensibility.SafeText.Escape(identityName, 64), closed);
        Revoked?.Invoke(identityName);
    }

    internal void Closed(Admission admission)
    {
        if (_admitted.TryRemove(admission, out _))
        {
            admission.Budget!.EndConnection();
        }
    }

    private async ValueTask<Admission> AdmitNamedAsync(ClientCredentials credentials, string? clientName)
    {
        while (true)
        {
            // A revocation while a client proves who it is: what it proved may be true no longer, and its connection is not yet known to be closed.
            int revocations = Volatile.Read(ref _revocations);
            if (await AuthenticateAsync(credentials).ConfigureAwait(false) is not { } identity)
            {
                return new Admission(AdmissionRefusal.NotAuthenticated);
            }

            if (Begin(identity) is not { } admission)
            {
                return new Admission(AdmissionRefusal.TooManyConnections);
            }

            if (revocations != Volatile.Read(ref _revocations))
            {
                admission.Dispose();
                continue;
            }

            // A web server's own address was not looked at before: without a rule, what comes from elsewhere may do nothing.
            bool mayBeHere = Authorize is not null || (credentials.Remote is { } remote && System.Net.IPAddress.IsLoopback(remote));
            if (!mayBeHere || !await AuthorizeAsync(identity, AccessAction.Connect, clientName ?? identity.Name).ConfigureAwait(false))
            {
                admission.Dispose();
                return new Admission(AdmissionRefusal.NotAuthorized);
            }

            admission.WatchExpiry(TimeProvider);
            return admission;
        }
    }

    private Admission? Begin(Identity identity)
    {
        while (BudgetOf(identity) is { } budget)
        {
            switch (budget.TryBeginConnection(isCounted: identity != Identity.Anonymous))
            {
                case false:
                    return null;
                case true:
                    var admission = new Admission(this, identity, budget);
                    _admitted[admission] = true;
                    return admission;
                default:
                    // Forgotten between finding and using it: the next look makes a new one.
                    continue;
            }
        }

        return null;
    }

    private bool IsEveryone(Identity identity) => identity == Identity.Anonymous && !Authenticates && !AllowAnonymous;
}
