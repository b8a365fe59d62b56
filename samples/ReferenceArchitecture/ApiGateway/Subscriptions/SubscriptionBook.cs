using System.Collections.Concurrent;
using System.Security.Cryptography;
using IoT.Reference.ApiGateway.Catalog;

namespace IoT.Reference.ApiGateway.Subscriptions;

/// <summary>A subscription with its secrets, which are told this once.</summary>
internal sealed record Issued(Subscription Subscription, string Secret, string Key, DateTimeOffset? OldValidUntil);

/// <summary>Who has subscribed to what, in memory and in the store, and the tokens that keys stand for.</summary>
internal sealed class SubscriptionBook : IDisposable
{
    private static readonly TimeSpan _renewBefore = TimeSpan.FromSeconds(30);

    private readonly ApiGatewayOptions _options;
    private readonly SubscriptionStore _store;
    private readonly IdentityClient _identity;
    private readonly ConcurrentDictionary<string, Subscription> _subscriptions = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, StoredKey> _keys = new(StringComparer.Ordinal);

    // By app, so that there are no more than subscriptions.
    private readonly ConcurrentDictionary<string, AppToken> _tokens = new(StringComparer.Ordinal);

    // Changes are rare and go through Identity: one at a time keeps limits exact.
    private readonly SemaphoreSlim _changing = new(1);

    public SubscriptionBook(ApiGatewayOptions options, SubscriptionStore store, IdentityClient identity)
    {
        (_options, _store, _identity) = (options, store, identity);
        foreach (var subscription in store.Subscriptions())
        {
            _subscriptions[subscription.App] = subscription;
        }

        foreach (var key in store.Keys())
        {
            _keys[key.Hash] = key;
        }
    }

    public void Dispose() => _changing.Dispose();

    internal Subscription? Find(string app) => _subscriptions.GetValueOrDefault(app);

    /// <summary>Whose key it is, now.</summary>
    internal (Subscription Subscription, StoredKey Key)? FindKey(string key) =>
        ApiKey.IsWellFormed(key) && _keys.TryGetValue(ApiKey.HashOf(key), out var stored) && !IsOver(stored) && _subscriptions.TryGetValue(stored.App, out var subscription)
            ? (subscription, stored) : null;

    internal List<Subscription> Of(string owner) => [.. _subscriptions.Values.Where(s => s.Owner == owner).OrderBy(s => s.Created)];

    internal List<StoredKey> KeysOf(string app) => [.. _keys.Values.Where(k => k.App == app && !IsOver(k)).OrderBy(k => k.Created)];

    /// <returns>Null: there are as many as may be.</returns>
    internal async Task<Issued?> AddAsync(string owner, Api api, string name, string plan, IReadOnlyList<string> scopes, CancellationToken stop)
    {
        await _changing.WaitAsync(stop);
        try
        {
            if (_subscriptions.Count >= _options.MaxSubscriptions || Of(owner).Count >= _options.MaxSubscriptionsPerPerson)
            {
                return null;
            }

            string app = "app-" + RandomNumberGenerator.GetHexString(16, lowercase: true);
            string secret = await _identity.IssueAsync(app, owner, scopes, stop);
            var now = _options.TimeProvider.GetUtcNow();
            var subscription = new Subscription(app, api.Id, owner, name, plan, scopes, now);
            string key = ApiKey.New();
            var stored = Stored(key, app, secret, now);
            _store.Add(subscription, stored);
            _subscriptions[app] = subscription;
            _keys[stored.Hash] = stored;
            return new Issued(subscription, secret, key, null);
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Makes a new secret and key; those of before hold for a while.</summary>
    internal async Task<Issued> RotateAsync(Subscription subscription, TimeSpan overlap, CancellationToken stop)
    {
        await _changing.WaitAsync(stop);
        try
        {
            string secret = await _identity.RotateAsync(subscription.App, overlap, stop);
            var now = _options.TimeProvider.GetUtcNow();
            string key = ApiKey.New();
            var stored = Stored(key, subscription.App, secret, now);
            foreach (var over in _keys.Values.Where(k => k.App == subscription.App && (IsOver(k) || k.Ends is not null)).ToList())
            {
                // Identity keeps one secret of before: an older key opens nothing any more.
                RemoveKey(over.Hash);
            }

            var ending = KeysOf(subscription.App).Select(k => k with { Ends = now + overlap }).ToList();
            _store.Replace(ending, stored);
            foreach (var one in ending.Append(stored))
            {
                _keys[one.Hash] = one;
            }

            return new Issued(subscription, secret, key, now + overlap);
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <returns>Whether there was one.</returns>
    internal bool RevokeKey(string app, string name)
    {
        var found = _keys.Values.Where(k => k.App == app && k.Name == name).ToList();
        found.ForEach(k => RemoveKey(k.Hash));
        return found.Count > 0;
    }

    /// <summary>Ends a subscription: its app is deleted, and the app's tokens are void.</summary>
    internal async Task RemoveAsync(Subscription subscription, CancellationToken stop)
    {
        await _changing.WaitAsync(stop);
        try
        {
            await _identity.DeleteAsync(subscription.App, stop);
            _store.Delete(subscription.App);
            _subscriptions.TryRemove(subscription.App, out _);
            _tokens.TryRemove(subscription.App, out _);
            foreach (var key in _keys.Values.Where(k => k.App == subscription.App).ToList())
            {
                _keys.TryRemove(key.Hash, out _);
            }
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Forgets a token, since <c>Identity</c> said that it is void.</summary>
    internal void Forget(string app) => _tokens.TryRemove(app, out _);

    /// <summary>The app's token that a key stands for; null: the app's secret does not hold any more.</summary>
    /// <exception cref="HttpRequestException"><c>Identity</c> is away.</exception>
    internal async ValueTask<string?> TokenAsync(Subscription subscription, StoredKey stored, string key, CancellationToken stop)
    {
        var now = _options.TimeProvider.GetUtcNow();
        if (_tokens.TryGetValue(subscription.App, out var token) && token.Ends - now > _renewBefore)
        {
            return token.Value;
        }

        string secret = ApiKey.Open(key, subscription.App, stored.Box);
        var fresh = await _identity.TokenOfAppAsync(subscription.App, secret, subscription.Scopes, stop);
        if (fresh is null)
        {
            return null;
        }

        _tokens[subscription.App] = fresh;
        return fresh.Value;
    }

    private static StoredKey Stored(string key, string app, string secret, DateTimeOffset now) =>
        new(ApiKey.HashOf(key), app, ApiKey.NameOf(key), ApiKey.Seal(key, app, secret), now, null);

    private bool IsOver(StoredKey key) => key.Ends <= _options.TimeProvider.GetUtcNow();

    private void RemoveKey(string hash)
    {
        _store.DeleteKey(hash);
        _keys.TryRemove(hash, out _);
    }
}
