using System.Globalization;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using IoT.Cep;
using IoT.Reference.Contracts;
using Microsoft.Extensions.Logging;

namespace IoT.Reference.Access;

/// <summary>
/// The enforcement point of a layer: knows tokens and secrets, asks the decision point, remembers what it said for a short time and forgets it when told of a change. Where the decision
/// point does not answer, everything that was not decided before is denied.
/// </summary>
/// <remarks>Thread-safe. One for a process is enough.</remarks>
public sealed partial class AccessPoint : IAccess, IAsyncDisposable
{
    /// <summary>What a single token that its holder revoked is called among the revocations, before its <c>jti</c>.</summary>
    public const string RevokedToken = "token:";

    private const int MaxTokenChars = 16_384;

    private readonly AccessOptions _options;
    private readonly ServiceTokens _tokens;
    private readonly HttpClient _client;
    private readonly BearerTokens _bearer;
    private readonly HttpMessageHandler _keys;
    private readonly DecisionCache _decisions;
    private readonly DecisionQueue _queue;
    private readonly VerifiedSecrets _secrets;
    private readonly Revocations _revocations;
    private readonly Broadcast<Change> _changes = new();
    private readonly ChangeListener _listener;

    // One object for a token as long as it is remembered: decisions are found by it.
    private readonly ConditionalWeakTable<Identity, Subject> _subjects = [];

    private AccessPoint(AccessOptions options)
    {
        _options = options;
        _tokens = new ServiceTokens(options);
        _client = CreateClient(options.Identity);
        _keys = options.MakeHandler();
        _bearer = BearerTokens.FromJwks(new Uri(options.Identity, ".well-known/jwks").AbsoluteUri, new BearerTokenOptions
        {
            Issuers = [(options.Issuer ?? options.Identity).AbsoluteUri],
            Audiences = [Claims.Audience],
            SpeaksForClaim = Claims.SpeaksFor,
            MaxTokenChars = MaxTokenChars,
            RefreshAtMostEvery = TimeSpan.FromSeconds(5),
            TimeProvider = options.TimeProvider,
            Handler = _keys,
        }, options.Logger);
        _decisions = new DecisionCache(options.MaxDecisions, options.DecisionLifetime, options.TimeProvider);
        _queue = new DecisionQueue(options.MaxDecisions, AskAsync);
        _secrets = new VerifiedSecrets(options.MaxDecisions, options.TimeProvider);
        _revocations = new Revocations(options.TimeProvider);
        _listener = new ChangeListener(options, _client, _revocations, OnChange, _decisions.ForgetAll);
    }

    /// <summary>What has changed, in order. What it calls must not block.</summary>
    public IObservable<Change> Changes => _changes;

    /// <summary>Whether it hears of changes now.</summary>
    public bool IsConnected => _listener.IsConnected;

    /// <summary>Begins to listen for changes; does not wait for <c>Identity</c>, which may start later.</summary>
    /// <param name="o">Where it is.</param>
    /// <param name="stop">Ends the start, not what was started.</param>
    public static Task<AccessPoint> StartAsync(AccessOptions o, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(o);
        stop.ThrowIfCancellationRequested();
        var access = new AccessPoint(o);
        access._listener.Start();
        return Task.FromResult(access);
    }

    /// <inheritdoc/>
    public async ValueTask<Subject?> AuthenticateAsync(string bearerToken)
    {
        ArgumentNullException.ThrowIfNull(bearerToken);
        return await IdentifyAsync(bearerToken) is { } identity ? SubjectOf(identity) : null;
    }

    /// <summary>Whether a secret is that of a device, gateway or app. One that was right is known again for half a minute, unless it is revoked.</summary>
    /// <param name="subject">Whose: text from the network.</param>
    /// <param name="secret">The secret: text from the network.</param>
    /// <param name="origin">The address it came from, for the limits of guessing.</param>
    /// <returns>Null where it is wrong, or <c>Identity</c> does not answer.</returns>
    public async ValueTask<Subject?> VerifyAsync(string subject, string secret, string? origin)
    {
        ArgumentNullException.ThrowIfNull(subject);
        ArgumentNullException.ThrowIfNull(secret);
        if (_secrets.Find(subject, secret) is { } known)
        {
            return known;
        }

        long asked = _secrets.Changes;
        try
        {
            using var response = await _client.PostAsJsonAsync(new Uri("v1/credentials/verify", UriKind.Relative), new VerifyRequest(subject, secret, origin), WireJson.Default.VerifyRequest);
            if (!response.IsSuccessStatusCode || await response.Content.ReadFromJsonAsync(WireJson.Default.VerifiedSubject) is not { } verified)
            {
                return null;
            }

            var found = new Subject(verified.Subject, verified.Kind, verified.Scopes, null, verified.SpeaksFor);
            _secrets.Keep(found, secret, verified.Until, asked);
            return found;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or System.Text.Json.JsonException)
        {
            AccessLog.Away(_options.Logger, "verify", e.Message);
            return null;
        }
    }

    /// <inheritdoc/>
    public ValueTask<Decision> DecideAsync(Subject subject, string action, string resource)
    {
        ArgumentNullException.ThrowIfNull(subject);
        ArgumentException.ThrowIfNullOrEmpty(action);
        ArgumentException.ThrowIfNullOrEmpty(resource);
        return _decisions.Find(subject, action, resource) is { } decided ? new ValueTask<Decision>(decided) : AskOneAsync(subject, action, resource);
    }

    /// <summary>Which of several things somebody may do something with.</summary>
    /// <param name="subject">Who.</param>
    /// <param name="action">What.</param>
    /// <param name="resources">On what.</param>
    public async ValueTask<bool[]> FilterAsync(Subject subject, string action, IReadOnlyList<string> resources)
    {
        ArgumentNullException.ThrowIfNull(resources);
        var decisions = new Task<Decision>[resources.Count];
        for (int i = 0; i < decisions.Length; i++)
        {
            decisions[i] = DecideAsync(subject, action, resources[i]).AsTask();
        }

        bool[] permitted = new bool[decisions.Length];
        for (int i = 0; i < decisions.Length; i++)
        {
            permitted[i] = (await decisions[i]).Permitted;
        }

        return permitted;
    }

    /// <summary>This layer's own token.</summary>
    /// <param name="c">Gives up.</param>
    /// <exception cref="HttpRequestException"><c>Identity</c> does not answer, or gives none.</exception>
    public ValueTask<string> GetServiceTokenAsync(CancellationToken c = default) => _tokens.GetAsync(c);

    /// <summary>A client that sends this layer's own token. Dispose it; as long as it is used, this object must not be disposed.</summary>
    /// <param name="baseAddress">Where it goes.</param>
    public HttpClient CreateClient(Uri baseAddress)
    {
#pragma warning disable CA2000 // The client disposes the handlers.
        return new HttpClient(new ServiceTokens.Handler(_tokens, _options.MakeHandler())) { BaseAddress = baseAddress, Timeout = TimeSpan.FromSeconds(30) };
#pragma warning restore CA2000
    }

    /// <inheritdoc/>
    public void Refused(Subject? subject, string action, string resource, string detail, string? origin)
    {
        AccessLog.Refused(_options.Logger, subject?.Id ?? "-", action, resource, detail);
        _options.Audit?.Invoke(new AuditEntry(_options.TimeProvider.GetUtcNow(), _options.Service.Id, subject?.Id ?? "", action, resource, "refused", detail, origin));
    }

    /// <inheritdoc/>
    public void Permitted(Subject subject, string action, string resource, string? origin)
    {
        ArgumentNullException.ThrowIfNull(subject);
        _options.Audit?.Invoke(new AuditEntry(_options.TimeProvider.GetUtcNow(), _options.Service.Id, subject.Id, action, resource, "permitted", null, origin));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _listener.DisposeAsync();
        await _queue.DisposeAsync();
        _client.Dispose();
        _bearer.Dispose();
        _keys.Dispose();
        _tokens.Dispose();
    }

    internal async ValueTask<Identity?> IdentifyAsync(string bearerToken)
    {
        // Before the first list of what is revoked, a token may be one of them.
        if (!await _listener.KnowsRevocationsAsync() || await _bearer.Validate(bearerToken) is not { } identity)
        {
            return null;
        }

        string tokenName = RevokedToken + identity.Claims.GetValueOrDefault("jti");
        return IssuedAt(identity) is { } issued && !_revocations.IsVoid(identity.Name, issued) && !_revocations.IsVoid(tokenName, issued) ? identity : null;
    }

    internal Decision? FindDecision(Subject subject, string action, string resource) => _decisions.Find(subject, action, resource);

    internal Subject SubjectOf(Identity identity) => _subjects.GetValue(identity, static i => ToSubject(i));

    private static DateTimeOffset? IssuedAt(Identity identity) =>
        long.TryParse(identity.Claims.GetValueOrDefault(Claims.IssuedAt), NumberStyles.None, CultureInfo.InvariantCulture, out long exact) ? DateTimeOffset.FromUnixTimeMilliseconds(exact)
        : long.TryParse(identity.Claims.GetValueOrDefault("iat"), NumberStyles.None, CultureInfo.InvariantCulture, out long seconds) ? DateTimeOffset.FromUnixTimeSeconds(seconds)
        : null;

    private static Subject ToSubject(Identity identity)
    {
        string kind = identity.Claims.GetValueOrDefault(Claims.Kind) ?? "";
        string[] others = [.. identity.SpeaksFor.Where(d => d != identity.Name)];
        return new Subject(
            identity.Name,
            Enum.TryParse<SubjectKind>(kind, ignoreCase: true, out var known) ? known : SubjectKind.App,
            Words(identity, "scope") ?? [],
            Words(identity, Claims.Role),
            others.Length > 0 ? others : null);
    }

    private static string[]? Words(Identity identity, string claim) =>
        identity.Claims.GetValueOrDefault(claim)?.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private async ValueTask<Decision> AskOneAsync(Subject subject, string action, string resource)
    {
        long asked = _decisions.Changes;
        if (await _queue.AskAsync(new DecisionRequest(subject, action, resource)) is not { } decision)
        {
            // Not kept: the next one asks again.
            return new Decision(false);
        }

        _decisions.Keep(subject, action, resource, decision, asked);
        return decision;
    }

    private async Task<Decision[]?> AskAsync(DecisionRequest[] requests, CancellationToken stop)
    {
        try
        {
            using var response = await _client.PostAsJsonAsync(new Uri("v1/decisions", UriKind.Relative), requests, WireJson.Default.DecisionRequestArray, stop);
            if (response.IsSuccessStatusCode)
            {
                return await response.Content.ReadFromJsonAsync(WireJson.Default.DecisionArray, stop);
            }

            AccessLog.Away(_options.Logger, "decide", $"status {(int)response.StatusCode}");
            return null;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or System.Text.Json.JsonException)
        {
            AccessLog.Away(_options.Logger, "decide", e.Message);
            return null;
        }
    }

    private void OnChange(Change change)
    {
        switch (change.Kind)
        {
            case ChangeKinds.Resource:
                _decisions.Forget(Resources.Device(change.Id));
                _decisions.Forget(change.Id);
                break;
            case ChangeKinds.Revoked:
                _revocations.Add(change.Id, change.Time);
                _secrets.Forget(change.Id);
                _decisions.Forget(change.Id);
                break;
            default:
                _decisions.ForgetAll();
                break;
        }

        _changes.Tell(change);
    }
}

internal static partial class AccessLog
{
    [LoggerMessage(1, LogLevel.Warning, "Refused: {Subject} may not {Action} {Resource}: {Detail}")]
    internal static partial void Refused(ILogger logger, string subject, string action, string resource, string detail);

    [LoggerMessage(2, LogLevel.Warning, "Identity did not answer ({Question}): {Reason}")]
    internal static partial void Away(ILogger logger, string question, string reason);

    [LoggerMessage(3, LogLevel.Information, "Hears of changes from {Identity}")]
    internal static partial void Connected(ILogger logger, Uri identity);
}
