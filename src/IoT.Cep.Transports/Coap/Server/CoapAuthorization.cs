using System.Collections.Concurrent;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Takes access tokens at <c>authz-info</c> (RFC 9200, 5.10.1), and knows whose peers' sessions are by them: until the token ends, its identity is revoked, or the session is over.
/// </summary>
/// <param name="security">Knows tokens.</param>
/// <param name="capacity">How many peers without a connection of their own may be known by a token.</param>
/// <param name="endObservers">Tells a peer's observers that they have to ask again.</param>
internal sealed class CoapAuthorization(ListenerSecurity security, int capacity, Action<ICoapLink, CoapRemote> endObservers) : ICoapResource
{
    internal const string Place = "authz-info";

    /// <summary>Ten times what issuers' tokens have.</summary>
    private const int MaxTokenBytes = 16_384;

    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<(ICoapLink Link, CoapRemote Remote), Stay> _stays = new();

    public CoapLinkDescription Description { get; } = new(Place) { ResourceType = "ace.ai" };

    public bool IsPattern => false;

    public bool Takes(string path) => path == Place;

    /// <summary>Whose token a peer has shown; null: it has shown none that is still valid.</summary>
    /// <param name="link">What it is connected by.</param>
    /// <param name="remote">The peer.</param>
    internal Identity? Find(ICoapLink link, CoapRemote remote) =>
        !_stays.IsEmpty && _stays.TryGetValue((link, remote), out var stay) && stay.Admission is { HasEnded: false } admission ? admission.Identity : null;

    /// <summary>A connection has begun that a token may come by: it is closed when the token ends.</summary>
    /// <param name="link">The connection.</param>
    /// <param name="remote">The peer.</param>
    /// <param name="close">Closes it.</param>
    internal void Watch(ICoapLink link, CoapRemote remote, CancellationTokenSource close) => _stays[(link, remote)] = new Stay(close);

    /// <summary>The time is over within which a connection has to say whose it is.</summary>
    /// <param name="link">The connection.</param>
    /// <param name="remote">The peer.</param>
    internal void CloseUnproven(ICoapLink link, CoapRemote remote)
    {
        if (_stays.TryGetValue((link, remote), out var stay) && stay.Admission is null)
        {
            stay.Close();
        }
    }

    public async ValueTask<CoapMessage?> HandleAsync(CoapRequest request)
    {
        if (request.Message.Code != CoapCode.Post)
        {
            return CoapMessage.Error(CoapCode.MethodNotAllowed, "POST an access token.");
        }

        if (request.Remote.Identity is not null)
        {
            return CoapMessage.Error(CoapCode.BadRequest, "This session has proved who it is already.");
        }

        // Whatever the content format says: a JWT has no number of its own.
        if (Read(request.Message.Payload.Span) is not { } token)
        {
            return CoapMessage.Error(CoapCode.BadRequest, "This is no JWT.");
        }

        var remote = request.Remote;
        var admission = await security.AdmitAsync(new ClientCredentials(remote.Address.Address, remote.IsEncrypted) { Token = token }).ConfigureAwait(false);
        if (Refusal(admission) is { } refused)
        {
            admission.Dispose();
            return refused;
        }

        if (!TryBind((request.Link, remote), admission))
        {
            admission.Dispose();
            return CoapMessage.Error(CoapCode.ServiceUnavailable, "Too many clients.");
        }

        return new CoapMessage(CoapCode.Created, default);
    }

    public void ForgetAll(ICoapLink link, CoapRemote remote)
    {
        if (_stays.TryRemove((link, remote), out var stay))
        {
            stay.Admission?.Dispose();
        }
    }

    /// <summary>The listener is closed.</summary>
    internal void Clear()
    {
        foreach (var (link, remote) in _stays.Keys)
        {
            ForgetAll(link, remote);
        }
    }

    private static CoapMessage? Refusal(Admission admission) => admission switch
    {
        { Refusal: AdmissionRefusal.NotAuthenticated } => CoapMessage.Error(CoapCode.Unauthorized, "The token is not valid here."),
        { Refusal: AdmissionRefusal.NotAuthorized } => CoapMessage.Error(CoapCode.Forbidden, "You may not connect."),
        { Refusal: AdmissionRefusal.TooManyConnections } => CoapAccess.TooMany("There are too many connections of yours.", TimeSpan.FromMinutes(1)),

        // Datagrams tell of no goodbye: without an end it would be remembered for ever.
        { Identity.Expires: null } => CoapMessage.Error(CoapCode.Unauthorized, "The token has no end."),
        _ => null,
    };

    private static string? Read(ReadOnlySpan<byte> payload) =>
        payload.Length is > 0 and <= MaxTokenBytes && !payload.ContainsAnyExceptInRange((byte)'!', (byte)'~') ? Encoding.ASCII.GetString(payload) : null;

    private bool TryBind((ICoapLink Link, CoapRemote Remote) peer, Admission admission)
    {
        Admission? before;
        lock (_gate)
        {
            if (!_stays.TryGetValue(peer, out var stay))
            {
                if (_stays.Count >= capacity)
                {
                    return false;
                }

                _stays[peer] = stay = new Stay(null);
            }

            (before, stay.Admission) = (stay.Admission, admission);
        }

        if (before is not null)
        {
            before.Dispose();
            if (before.Identity.Name != admission.Identity.Name)
            {
                // What the one may observe, the other perhaps may not.
                endObservers(peer.Link, peer.Remote);
            }
        }

        // Last: where it has ended meanwhile, this ends it at once.
        admission.Ended.UnsafeRegister(_ => End(peer, admission), null);
        return true;
    }

    private void End((ICoapLink Link, CoapRemote Remote) peer, Admission admission)
    {
        Stay? stay;
        lock (_gate)
        {
            if (!_stays.TryGetValue(peer, out stay) || stay.Admission != admission)
            {
                return;
            }

            stay.Admission = null;
            if (!stay.IsConnection)
            {
                _stays.TryRemove(peer, out _);
            }
        }

        admission.Dispose();
        endObservers(peer.Link, peer.Remote);
        stay.Close();
    }

    private sealed class Stay(CancellationTokenSource? close)
    {
        private volatile Admission? _admission;

        internal bool IsConnection => close is not null;

        internal Admission? Admission
        {
            get => _admission;
            set => _admission = value;
        }

        internal void Close()
        {
            try
            {
                close?.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // Closed just now.
            }
        }
    }
}
