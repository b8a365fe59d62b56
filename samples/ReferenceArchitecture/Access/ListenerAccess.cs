using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using IoT.Cep;
using IoT.Reference.Contracts;

namespace IoT.Reference.Access;

public sealed partial class AccessPoint
{
    /// <summary>
    /// Who may do what at the listeners of the bus: passwords and tokens by <c>Identity</c>, every publish, subscribe and command by its decision point. Who is revoked is disconnected at
    /// once; so is who has subscribed to what a changed policy, share or device refuses now.
    /// </summary>
    /// <param name="limits">How much each may ask. Null: the library's own.</param>
    /// <param name="allowPlainText">Whether secrets may cross a network without TLS: behind a proxy that ends it.</param>
    public ListenerSecurity ForListeners(PrincipalLimits? limits = null, bool allowPlainText = false)
    {
        var listeners = new ListenerAccess(this, _options);
        var security = new ListenerSecurity
        {
            Password = listeners.ByPasswordAsync,
            Token = listeners.ByTokenAsync,
            Authorize = listeners.AuthorizeAsync,

            // Decisions are kept by the access point alone, which knows what has changed and when a share ends; two tables would keep one twice as long.
            DecisionLifetime = TimeSpan.Zero,
            Limits = limits ?? PrincipalLimits.Default,
            AllowPlainTextPassword = allowPlainText,
            TimeProvider = _options.TimeProvider,
            Logger = _options.Logger,
        };
        listeners.Watch(security, Changes);
        return security;
    }
}

/// <summary>What the listeners of the bus ask.</summary>
internal sealed class ListenerAccess(AccessPoint access, AccessOptions options) : IObserver<Change>
{
    /// <summary>Topics are few words; the table only saves making them again.</summary>
    private const int MaxTopics = 65_536;

    private readonly ConditionalWeakTable<Identity, Subject> _subjects = [];
    private readonly ConcurrentDictionary<string, string> _topics = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string Subject, string Resource), Subject> _subscribed = new();
    private ListenerSecurity _security = null!;

    internal void Watch(ListenerSecurity security, IObservable<Change> changes)
    {
        _security = security;
        changes.Subscribe(this);
    }

    internal async ValueTask<Identity?> ByPasswordAsync(string user, string password) =>
        await access.VerifyAsync(user, password, null) is { } subject ? ToIdentity(subject, AuthenticationMethod.Password, null) : null;

    internal async ValueTask<Identity?> ByTokenAsync(string token) =>
        await access.IdentifyAsync(token) is { } identity ? ToIdentity(access.SubjectOf(identity), AuthenticationMethod.Token, identity.Expires) : null;

    internal ValueTask<bool> AuthorizeAsync(Identity identity, AccessAction action, string topic)
    {
        if (!_subjects.TryGetValue(identity, out var subject))
        {
            return new ValueTask<bool>(false);
        }

        string resource = action == AccessAction.Connect ? Resources.Bus : ResourceOf(topic);
        string word = action switch { AccessAction.Connect => Actions.Connect, AccessAction.Publish => Actions.Publish, _ => Actions.Subscribe };

        // The common case, for each message: known, permitted, nothing to remember.
        return action == AccessAction.Publish && access.FindDecision(subject, word, resource) is { Permitted: true, Obligations: null }
            ? new ValueTask<bool>(true)
            : EnforceAsync(subject, action, word, resource);
    }

    public void OnNext(Change value)
    {
        if (value.Kind == ChangeKinds.Revoked)
        {
            _security.Revoke(value.Id);
        }
        else if (!_subscribed.IsEmpty)
        {
            _ = Task.Run(() => LookAgainAsync(value));
        }
    }

    public void OnError(Exception error)
    {
    }

    public void OnCompleted()
    {
    }

    private async ValueTask<bool> EnforceAsync(Subject subject, AccessAction action, string word, string resource)
    {
        var decision = await access.DecideAsync(subject, word, resource);
        if (!decision.Permitted || Obligations.NotUnderstood(decision, []) is not null)
        {
            access.Refused(subject, word, resource, decision.Policy ?? "nothing permits it", null);
            return false;
        }

        if (Obligations.WantsAudit(decision))
        {
            access.Permitted(subject, word, resource, null);
        }

        if (action is AccessAction.Subscribe or AccessAction.Command)
        {
            // Without room to remember it, nobody could end it.
            if (_subscribed.Count >= options.MaxDecisions * 4 && !_subscribed.ContainsKey((subject.Id, resource)))
            {
                return false;
            }

            _subscribed[(subject.Id, resource)] = subject;
        }

        return true;
    }

    // A subscription stays as it was allowed; where it is not any more, its connection has to go.
    private async Task LookAgainAsync(Change change)
    {
        string? resource = change.Kind == ChangeKinds.Resource ? Resources.Device(change.Id) : null;
        foreach (var (key, subject) in _subscribed)
        {
            if ((resource is null || key.Resource == resource || key.Subject == change.Id) && !(await access.DecideAsync(subject, Actions.Subscribe, key.Resource)).Permitted)
            {
                _subscribed.TryRemove(key, out _);
                AccessLog.Refused(options.Logger, key.Subject, Actions.Subscribe, key.Resource, "no longer permitted");
                _security.Revoke(key.Subject);
            }
        }
    }

    private string ResourceOf(string topic)
    {
        if (_topics.TryGetValue(topic, out string? known))
        {
            return known;
        }

        if (_topics.Count >= MaxTopics)
        {
            _topics.Clear();
        }

        return _topics[topic] = BusResources.Of(topic);
    }

    // The decision point alone knows whose topics are whose, and what it refuses is audited: to the listener everyone speaks for all.
    private Identity ToIdentity(Subject subject, AuthenticationMethod method, DateTimeOffset? expires)
    {
        var claims = new Dictionary<string, string> { [Claims.Kind] = subject.Kind.ToString().ToLowerInvariant() };
        var identity = new Identity(subject.Id, method, ["*"], claims, expires);
        _subjects.Add(identity, subject);
        return identity;
    }
}
