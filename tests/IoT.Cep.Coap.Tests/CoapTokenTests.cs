using System.Collections.Concurrent;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep.CoapTests;

/// <summary>Access tokens at <c>authz-info</c> (RFC 9200), over every kind of connection.</summary>
public sealed class CoapTokenTests : IAsyncDisposable
{
    private const string Udp = "coap", Dtls = "coaps", Tcp = "coap+tcp", Tls = "coaps+tcp";

    private readonly FakeTimeProvider _clock = new(TimeProvider.System.GetUtcNow());
    private readonly ConcurrentDictionary<string, Identity> _tokens = new();
    private readonly TestAuthority _authority = new();
    private readonly List<CoapConnector> _connectors = [];
    private readonly ListenerSecurity _security;
    private readonly Connections _connections;
    private readonly Collector _received = new();
    private string? _token = "one";

    public CoapTokenTests()
    {
        _tokens["one"] = Until("d1", TimeSpan.FromMinutes(5));
        _tokens["two"] = Until("d2", TimeSpan.FromMinutes(50));
        _tokens["endless"] = new Identity("d1", AuthenticationMethod.Token);
        _security = new ListenerSecurity
        {
            TimeProvider = _clock,
            Token = token => new(_tokens.GetValueOrDefault(token)),
            Authorize = (who, action, path) => new(who.Name != "thief" && (action == AccessAction.Connect || path.EndsWith('/' + who.Name))),
        };
        _connections = Local.Listener(
            o =>
            {
                (o.Port, o.TcpPort, o.TlsPort, o.Certificate, o.Security) = (0, 0, 0, _authority.Server, _security);
                o.UseDtls().DtlsPort = 0;
            },
            c =>
            {
                c.Tls = new CoapTlsOptions { CaFile = _authority.RootFile };
                c.UseDtls(d => d.CaFile = _authority.RootFile).Token = _ => new(_token);
            });
    }

    public static TheoryData<string> All => [Udp, Dtls, Tcp, Tls];

    [Theory]
    [MemberData(nameof(All))]
    [Trait("Requirement", "R66")]
    public async Task A_session_is_its_token_s_and_may_do_what_that_may(string scheme)
    {
        await using var running = await _connections.ListenAsync("t/{device}", _received);
        var client = await ConnectAsync(scheme);

        Assert.Equal(CoapCode.Changed, (await Guarded.PostAsync(client, "t/d1")).Code);
        Assert.Equal("d1", (await _received.NextAsync()).Sender);
        Assert.Equal(CoapCode.Forbidden, (await Guarded.PostAsync(client, "t/d2")).Code);
        Assert.Equal(1, _security.Admitted);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Without_a_token_nothing_is_allowed(string scheme)
    {
        _token = null;
        await using var running = await _connections.ListenAsync("t/{device}", _received);
        var client = await ConnectAsync(scheme);

        Assert.Equal(CoapCode.Unauthorized, (await Guarded.PostAsync(client, "t/d1")).Code);
        Assert.True(_received.IsEmpty);
        Assert.Equal(0, _security.Admitted);
    }

    [Theory]
    [InlineData("unknown", "4.01")]
    [InlineData("endless", "4.01")]
    [InlineData("thief", "4.03")]
    [InlineData("", "4.00")]
    [InlineData("two words", "4.00")]
    [InlineData("\u0001", "4.00")]
    public async Task A_token_that_is_not_right_is_refused_and_leaves_everything_as_it_was(string token, string code)
    {
        _tokens["thief"] = Until("thief", TimeSpan.FromMinutes(5));
        await using var running = await _connections.ListenAsync("t/{device}", _received);
        var client = await ConnectAsync(Tcp);

        Assert.Equal(code, (await Guarded.PostAsync(client, "authz-info", token)).Code.Text());
        Assert.Equal(CoapCode.BadRequest, (await Guarded.PostAsync(client, "authz-info", new string('x', 20_000))).Code);
        Assert.Equal(CoapCode.MethodNotAllowed, (await client.SendAsync(Pair.Request(CoapCode.Get, "authz-info"), CancellationToken.None)).Code);
        Assert.Equal(CoapCode.Changed, (await Guarded.PostAsync(client, "t/d1")).Code);
        Assert.Equal(1, _security.Admitted);
    }

    [Theory]
    [MemberData(nameof(All))]
    [Trait("Requirement", "R38")]
    public async Task A_revoked_token_ends_the_session_and_its_observations_at_once(string scheme)
    {
        await using var running = await _connections.ListenAsync("t/{device}", _received);
        await using var state = await _connections.OpenAsync(Coap.Resource<string>("state/d1", Local.Utf8));
        await state.WriteAsync("1");
        var observed = new Collector();
        await using var observing = await _connections.ObserveAsync(Uri(scheme, "state/d1"), observed);
        Assert.Equal("1", (await observed.NextAsync()).Text);
        var client = await ConnectAsync(scheme);

        _tokens.Clear();
        _security.Revoke("d1");
        await Guarded.UntilAsync(() => _security.Admitted == 0);
        await observed.UntilAsync(connected: false);
        await state.WriteAsync("2");

        Assert.DoesNotContain("2.04", await Guarded.OutcomeAsync(() => Guarded.PostAsync(client, "t/d1")), StringComparison.Ordinal);
        Assert.True(observed.IsEmpty);

        _tokens["one"] = Until("d1", TimeSpan.FromMinutes(5));
        Assert.Equal("2", (await observed.NextAsync()).Text);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task A_session_ends_with_its_token(string scheme)
    {
        await using var running = await _connections.ListenAsync("t/{device}", _received);
        var client = await ConnectAsync(scheme);
        Assert.Equal(CoapCode.Changed, (await Guarded.PostAsync(client, "t/d1")).Code);

        _clock.Advance(TimeSpan.FromMinutes(5));
        await Guarded.UntilAsync(() => _security.Admitted == 0);

        Assert.DoesNotContain("2.04", await Guarded.OutcomeAsync(() => Guarded.PostAsync(client, "t/d1")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Udp)]
    [InlineData(Dtls)]
    public async Task A_client_that_is_not_known_any_more_shows_a_new_token_by_itself(string scheme)
    {
        await using var running = await _connections.ListenAsync("t/{device}", _received);
        var client = await ConnectAsync(scheme);
        _clock.Advance(TimeSpan.FromMinutes(5));
        await Guarded.UntilAsync(() => _security.Admitted == 0);

        _tokens["new"] = Until("d1", TimeSpan.FromMinutes(5));
        _token = "new";

        Assert.Equal(CoapCode.Changed, (await Guarded.PostAsync(client, "t/d1")).Code);
        Assert.Equal(1, _security.Admitted);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Another_identity_s_token_takes_the_session_over_without_what_the_first_observed(string scheme)
    {
        await using var running = await _connections.ListenAsync("t/{device}", _received);
        await using var state = await _connections.OpenAsync(Coap.Resource<string>("state/d1", Local.Utf8));
        await state.WriteAsync("1");
        var client = await ConnectAsync(scheme);
        var ended = new TaskCompletionSource<CoapCode>(TaskCreationOptions.RunContinuationsAsynchronously);
        var observation = new CoapObservation(response => ended.TrySetResult(response.Code), _ => { });
        var registered = await client.SendAsync(Pair.Request(CoapCode.Get, "state/d1").With(CoapOptionNumber.Observe, 0), CancellationToken.None, observation);
        Assert.NotNull(registered.Observe);

        Assert.Equal(CoapCode.Created, (await Guarded.PostAsync(client, "authz-info", "two")).Code);

        Assert.Equal(CoapCode.Unauthorized, await ended.Task.WaitAsync(Collector.Patience));
        Assert.Equal(CoapCode.Forbidden, (await Guarded.PostAsync(client, "t/d1")).Code);
        Assert.Equal(CoapCode.Changed, (await Guarded.PostAsync(client, "t/d2")).Code);
        Assert.Equal(1, _security.Admitted);
    }

    [Fact]
    public async Task A_server_that_refuses_the_token_is_told_as_no_connection()
    {
        _token = "unknown";
        await using var running = await _connections.ListenAsync("t/{device}", _received);
        await using var requests = CoapRequests.Open(Uri(Tcp, "t"), _connections.Find<CoapOptions>());

        var error = await Assert.ThrowsAsync<IOException>(() => requests.RequestAsync(new Message("d1", "1"u8.ToArray()), Collector.Patience).AsTask());
        Assert.Contains("4.01", error.Message, StringComparison.Ordinal);
        await Guarded.UntilAsync(() => _security.Admitted == 0);
    }

    [Fact]
    public async Task What_is_awaited_can_be_observed_before_its_first_result_by_who_may_read_it()
    {
        var options = new CoapResourceOptions { Awaited = "state/{device}", MaxResources = 1 };
        await using var state = await _connections.OpenAsync(Coap.Resource<(string Where, string What)>(r => $"state/{r.Where}", Local.Utf8, "text/plain", options));
        var observed = new Collector();
        await using var observing = await _connections.ObserveAsync(Uri(Tcp, "state/d1"), observed);
        await state.WriteAsync(("d1", "1"));

        Assert.Equal("1", (await observed.NextAsync()).Text);
        var client = await ConnectAsync(Tcp);
        Assert.Equal(CoapCode.Forbidden, (await client.SendAsync(Pair.Request(CoapCode.Get, "state/d2"), CancellationToken.None)).Code);
        Assert.Equal(CoapCode.Created, (await Guarded.PostAsync(client, "authz-info", "two")).Code);
        Assert.Equal(CoapCode.ServiceUnavailable, (await client.SendAsync(Pair.Request(CoapCode.Get, "state/d2"), CancellationToken.None)).Code);
        Assert.Equal(CoapCode.NotFound, (await client.SendAsync(Pair.Request(CoapCode.Get, "other/d2"), CancellationToken.None)).Code);
    }

    [Fact]
    public async Task An_issuer_that_is_away_is_as_a_server_that_is_away()
    {
        await using var running = await _connections.ListenAsync("t/{device}", _received);
        bool isAway = true;
        var options = new CoapOptions { Token = _ => Volatile.Read(ref isAway) ? throw new InvalidOperationException("no issuer") : new("one") };
        await using var requests = CoapRequests.Open(Uri(Tcp, "t"), options);

        var error = await Assert.ThrowsAsync<IOException>(() => requests.RequestAsync(new Message("d1", "1"u8.ToArray()), Collector.Patience).AsTask());
        Assert.Contains("no issuer", error.Message, StringComparison.Ordinal);
        Volatile.Write(ref isAway, false);
        await requests.RequestAsync(new Message("d1", "1"u8.ToArray()), Collector.Patience);
    }

    [Fact]
    public async Task A_token_is_not_shown_over_an_open_network()
    {
        var connector = new CoapConnector(_connections.Find<CoapOptions>()!, TimeProvider.System, NullLogger.Instance);
        await using var closes = connector;

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => connector.ConnectAsync(CoapUri.Parse("coap://192.0.2.1"), CancellationToken.None).AsTask());
        Assert.Contains("AllowPlainTextToken", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_so_many_peers_without_a_connection_are_known_by_a_token()
    {
        _connections.Find<CoapListenerOptions>()!.MaxPeers = 1;
        await using var running = await _connections.ListenAsync("t/{device}", _received);
        await ConnectAsync(Udp);

        string refused = await Guarded.OutcomeAsync(async () => await Guarded.PostAsync(await ConnectAsync(Udp), "t/d1"));

        Assert.Contains("5.03", refused, StringComparison.Ordinal);
        Assert.Equal(1, _security.Admitted);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var connector in _connectors)
        {
            await connector.DisposeAsync();
        }

        _authority.Dispose();
    }

    private Identity Until(string name, TimeSpan rest) => new(name, AuthenticationMethod.Token, expires: _clock.GetUtcNow() + rest);

    private string Uri(string scheme, string path)
    {
        var server = _connections.Server();
        int port = scheme switch { Udp => server.Port, Dtls => server.DtlsPort, Tcp => server.TcpPort, _ => server.TlsPort };
        return $"{scheme}://localhost:{port}/{path}";
    }

    private async Task<CoapClient> ConnectAsync(string scheme)
    {
        var connector = new CoapConnector(_connections.Find<CoapOptions>()!, TimeProvider.System, NullLogger.Instance);
        _connectors.Add(connector);
        return await connector.ConnectAsync(CoapUri.Parse(Uri(scheme, "")), CancellationToken.None).AsTask().WaitAsync(Collector.Patience);
    }
}
