using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Threading.Channels;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep;

/// <summary>What one identity may ask of listeners for lines and datagrams.</summary>
public sealed class SocketLimitTests
{
    [Fact]
    public async Task A_sender_of_lines_that_is_too_fast_waits_and_loses_nothing()
    {
        var clock = new FakeTimeProvider();
        var security = Anyone(new PrincipalLimits { MessagesPerSecond = 1, Burst = 2 }, clock);
        await using var site = await ListeningSite.TcpAsync(new TcpListenOptions { Security = security }, clock: clock);
        await using var device = await site.ConnectAsync();
        await device.SendAsync("1\n2\n3\n4\n");
        await site.Collector.TakeAsync(2);
        await UntilAsync(() => security.Refused(PrincipalLimit.Messages) == 1);
        Assert.True(site.Collector.IsEmpty);
        Assert.Equal("3", (await PassAsync(site.Collector.NextAsync(), clock)).Text);
        Assert.Equal("4", (await PassAsync(site.Collector.NextAsync(), clock)).Text);
    }

    [Fact]
    public async Task A_line_beyond_the_limit_is_a_dead_letter_and_the_next_one_arrives()
    {
        var collector = new Collector { Rejected = Channel.CreateUnbounded<DeadLetterReason>() };
        await using var site = await ListeningSite.TcpAsync(new TcpListenOptions { Security = Anyone(new PrincipalLimits { MaxPayloadBytes = 100 }) }, collector);
        await using var device = await site.ConnectAsync();
        await device.SendAsync(new string('x', 101) + "\nshort\n");
        Assert.Equal("short", (await collector.NextAsync()).Text);
        Assert.Equal(DeadLetterReason.TooLarge, await collector.Rejected.Reader.ReadAsync());
    }

    [Fact]
    public async Task Topics_count_over_all_listeners_of_one_security()
    {
        var security = Anyone(new PrincipalLimits { MaxTopics = 1 });
        await using var first = await ListeningSite.TcpAsync(new TcpListenOptions { Security = security, Topic = "a" });
        await using var second = await ListeningSite.TcpAsync(new TcpListenOptions { Security = security, Topic = "b" });
        await using var taken = await first.ConnectAsync();
        await taken.SendAsync("1\n");
        await first.Collector.NextAsync();
        await using var refused = await second.ConnectAsync();
        await refused.UntilClosedAsync();
        Assert.Equal(1, security.Refused(PrincipalLimit.Topics));
    }

    [Fact]
    public async Task Messages_under_way_are_bounded_over_all_connections()
    {
        var open = new TaskCompletionSource();
        var security = Anyone(new PrincipalLimits { MaxInFlight = 1 });
        await using var site = await ListeningSite.TcpAsync(new TcpListenOptions { Security = security }, new Collector { Gate = () => new ValueTask(open.Task) });
        await using var one = await site.ConnectAsync();
        await using var two = await site.ConnectAsync();
        await one.SendAsync("1\n");
        await site.Collector.NextAsync();
        await two.SendAsync("2\n");
        await UntilAsync(() => security.Refused(PrincipalLimit.InFlight) > 0);
        Assert.True(site.Collector.IsEmpty);
        open.SetResult();
        Assert.Equal("2", (await site.Collector.NextAsync()).Text);
    }

    [Fact]
    public async Task Connections_of_one_identity_are_bounded_and_free_again_when_one_ends()
    {
        using var authority = new TestAuthority();
        var security = ByCertificate(authority, new PrincipalLimits { MaxConnections = 1 });
        using var server = Load(authority.Sign("localhost"));
        using var client = Load(authority.Sign("device-1"));
        await using var site = await ListeningSite.TcpAsync(new TcpListenOptions { Security = security, Certificate = server });
        await using (var first = await site.ConnectTlsAsync(authority.CaFile, client))
        {
            await first.SendAsync("1\n");
            Assert.Equal("device-1", (await site.Collector.NextAsync()).Sender);
            await using var second = await site.ConnectTlsAsync(authority.CaFile, client);
            await second.UntilClosedAsync();
            Assert.Equal(1, security.Refused(PrincipalLimit.Connections));
        }

        await UntilAsync(() => security.Admitted == 0);
        await using var again = await site.ConnectTlsAsync(authority.CaFile, client);
        await again.SendAsync("2\n");
        Assert.Equal("2", (await site.Collector.NextAsync()).Text);
    }

    [Theory]
    [InlineData("a line")]
    [InlineData("its turn")]
    [InlineData("the receiver")]
    public async Task A_revoked_identity_loses_its_connection_at_once_whatever_it_waits_for(string waitsFor)
    {
        var open = new TaskCompletionSource();
        bool isWelcome = true;
        var clock = new FakeTimeProvider();
        var security = Anyone(new PrincipalLimits { MessagesPerSecond = 1, Burst = 1 }, clock, (_, _, _) => new(Volatile.Read(ref isWelcome)));
        var collector = new Collector { Gate = () => waitsFor == "the receiver" ? new ValueTask(open.Task) : default };
        await using var site = await ListeningSite.TcpAsync(new TcpListenOptions { Security = security }, collector, clock);
        await using var device = await site.ConnectAsync();
        await device.SendAsync(waitsFor == "a line" ? "1\n" : "1\n2\n");
        await collector.NextAsync();
        await UntilAsync(() => waitsFor != "its turn" || security.Refused(PrincipalLimit.Messages) == 1);

        Volatile.Write(ref isWelcome, false);
        security.Revoke("anonymous");
        await device.UntilClosedAsync();
        open.SetResult();
        await UntilAsync(() => security.Admitted == 0);
        Assert.True(collector.IsEmpty);
        await using var again = await site.ConnectAsync();
        await again.UntilClosedAsync();
    }

    [Fact]
    public async Task Datagrams_beyond_the_rate_are_lost_and_counted()
    {
        var clock = new FakeTimeProvider();
        var security = Anyone(new PrincipalLimits { MessagesPerSecond = 1, Burst = 2 }, clock);
        await using var site = await ListeningSite.UdpAsync(new UdpListenOptions { Security = security });
        using var device = new UdpClient();
        await SendAsync(device, site, "1", "2", "3");
        Assert.Equal(["1", "2"], (await site.Collector.TakeAsync(2)).Select(r => r.Text));
        await UntilAsync(() => security.Refused(PrincipalLimit.Messages) == 1);
        clock.Advance(TimeSpan.FromSeconds(1));
        await SendAsync(device, site, "4");
        Assert.Equal("4", (await site.Collector.NextAsync()).Text);
    }

    [Fact]
    public async Task A_datagram_beyond_the_limit_is_a_dead_letter_and_topics_are_bounded()
    {
        var collector = new Collector { Rejected = Channel.CreateUnbounded<DeadLetterReason>() };
        var security = Anyone(new PrincipalLimits { MaxPayloadBytes = 100, MaxTopics = 1 });
        await using var site = await ListeningSite.UdpAsync(new UdpListenOptions { Security = security, Topic = "a" }, collector);
        await using var other = await ListeningSite.UdpAsync(new UdpListenOptions { Security = security, Topic = "b" });
        using var device = new UdpClient();
        await SendAsync(device, site, new string('x', 101), "short");
        Assert.Equal("short", (await collector.NextAsync()).Text);
        Assert.Equal(DeadLetterReason.TooLarge, await collector.Rejected.Reader.ReadAsync());
        await SendAsync(device, other, "1");
        await UntilAsync(() => security.Refused(PrincipalLimit.Topics) == 1);
        Assert.True(other.Collector.IsEmpty);
    }

    [Fact]
    public async Task Datagrams_are_lost_after_a_revocation_until_they_are_allowed_anew()
    {
        bool isWelcome = true;
        int asked = 0;
        var security = Anyone(new PrincipalLimits(), authorize: (_, _, _) =>
        {
            Interlocked.Increment(ref asked);
            return new(Volatile.Read(ref isWelcome));
        });
        await using var site = await ListeningSite.UdpAsync(new UdpListenOptions { Security = security });
        using var device = new UdpClient();
        await SendAsync(device, site, "1");
        await site.Collector.NextAsync();
        Volatile.Write(ref isWelcome, false);
        security.Revoke("anonymous");
        int before = asked;
        await SendAsync(device, site, "2");
        await UntilAsync(() => Volatile.Read(ref asked) > before);
        Volatile.Write(ref isWelcome, true);
        security.Revoke("anonymous");
        await SendAsync(device, site, "3");
        Assert.Equal("3", (await site.Collector.NextAsync()).Text);
    }

    private static ListenerSecurity Anyone(PrincipalLimits limits, TimeProvider? clock = null, Authorize? authorize = null) =>
        new() { AllowAnonymous = true, Limits = limits, TimeProvider = clock ?? TimeProvider.System, Authorize = authorize };

    private static ListenerSecurity ByCertificate(TestAuthority authority, PrincipalLimits limits) =>
        new() { Certificate = Certificates.FromPemFile(authority.CaFile).Validate, Limits = limits };

    private static X509Certificate2 Load((string Certificate, string Key) files) => X509Certificate2.CreateFromPemFile(files.Certificate, files.Key);

    private static async Task SendAsync(UdpClient device, ListeningSite site, params string[] texts)
    {
        foreach (string text in texts)
        {
            await device.SendAsync(Encoding.UTF8.GetBytes(text), site.Address);
        }
    }

    /// <summary>Lets time pass until something has happened: the wait may not have begun when the test goes on.</summary>
    private static async Task<T> PassAsync<T>(Task<T> task, FakeTimeProvider clock)
    {
        await UntilAsync(() =>
        {
            clock.Advance(TimeSpan.FromSeconds(0.1));
            return task.IsCompleted;
        });
        return await task;
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        using var patience = new CancellationTokenSource(Collector.Patience);
        while (!condition())
        {
            await timer.WaitForNextTickAsync(patience.Token);
        }
    }
}
