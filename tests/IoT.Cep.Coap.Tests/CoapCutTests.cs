using IoT.Cep.Extensibility;

namespace IoT.Cep.CoapTests;

/// <summary>
/// Over real sockets: whatever single datagram is lost, repeated, overtaken or late, nothing that was acknowledged is lost, nothing arrives twice, and the last state is seen. Each datagram is
/// tried, of the handshake too.
/// </summary>
public class CoapCutTests
{
    /// <summary>Runs differ by a repetition here and there: a few more than the undisturbed run has.</summary>
    private const int More = 3;

    /// <summary>At a time: a lost part of a handshake is repeated after a second, and the others need not wait for it.</summary>
    private const int Together = 8;

    private static readonly byte[] _key = "0123456789abcdef"u8.ToArray();

    public static TheoryData<Fate> Fates => [Fate.Lost, Fate.Repeated, Fate.Overtaken, Fate.Late];

    [Theory]
    [MemberData(nameof(Fates))]
    public Task Messages(Fate fate) => TryEachAsync(fate, async one => await PutAsync("coap", one, ["1", "2", "3"]));

    [Theory]
    [MemberData(nameof(Fates))]
    public Task Bodies_in_blocks(Fate fate) => TryEachAsync(fate, async one => await PutAsync("coap", one, [Body('a'), Body('b')]));

    [Theory]
    [MemberData(nameof(Fates))]
    public Task Messages_through_DTLS_with_its_handshake(Fate fate) => TryEachAsync(fate, async one => await PutAsync("coaps", one, ["1", "2", "3"]));

    [Theory]
    [MemberData(nameof(Fates))]
    public Task Observed_states(Fate fate) => TryEachAsync(fate, async one => await ObserveAsync("coap", one));

    [Theory]
    [MemberData(nameof(Fates))]
    public Task Observed_states_through_DTLS(Fate fate) => TryEachAsync(fate, async one => await ObserveAsync("coaps", one));

    private static string Body(char letter) => new(letter, 1500);

    private static async Task TryEachAsync(Fate fate, Func<Func<int, Fate>, Task<int>> run)
    {
        int count = await run(_ => Fate.Passes) + More;
        for (int from = 0; from < count; from += Together)
        {
            await Task.WhenAll(Enumerable.Range(from, Math.Min(Together, count - from)).Select(async cut =>
            {
                try
                {
                    await run(number => number == cut ? fate : Fate.Passes);
                }
                catch (Exception error)
                {
                    throw new InvalidOperationException($"Datagram {cut} {fate}: {error.Message}", error);
                }
            }));
        }
    }

    private static async Task<int> PutAsync(string scheme, Func<int, Fate> fate, string[] messages)
    {
        var connections = Site();
        var collector = new Collector();
        await using var running = await connections.ListenAsync("in", collector);
        await using var proxy = new UdpProxy(PortOf(connections, scheme), fate);
        await using var sink = await connections.OpenAsync(Coap.Put<string>(_ => $"{scheme}://127.0.0.1:{proxy.Port}/in", Local.Utf8));
        foreach (string message in messages)
        {
            await sink.WriteAsync(message);
        }

        int count = proxy.Count;

        // What comes very late must not arrive again, nor stand in for what follows.
        proxy.Flush();
        await sink.WriteAsync("last");
        foreach (string message in messages.Append("last"))
        {
            Assert.Equal(message, (await collector.NextAsync()).Text);
        }

        Assert.True(collector.IsEmpty);
        return count;
    }

    private static async Task<int> ObserveAsync(string scheme, Func<int, Fate> fate)
    {
        var connections = Site();
        await using var state = await connections.OpenAsync(Coap.Resource<string>("state", Local.Utf8));
        await using var proxy = new UdpProxy(PortOf(connections, scheme), fate);
        await state.WriteAsync("0");
        var observed = new Collector();
        await using var observing = await connections.ObserveAsync($"{scheme}://127.0.0.1:{proxy.Port}/state", observed);
        int latest = int.Parse((await observed.NextAsync()).Text, null);
        for (int i = 1; i <= 3; i++)
        {
            await state.WriteAsync($"{i}");
        }

        while (latest < 3)
        {
            int next = int.Parse((await observed.NextAsync()).Text, null);
            Assert.InRange(next, latest, 3);
            latest = next;
        }

        int count = proxy.Count;
        proxy.Flush();
        await state.WriteAsync("4");
        Assert.Equal("4", (await observed.NextAsync()).Text);
        return count;
    }

    private static int PortOf(Connections connections, string scheme) => scheme == "coap" ? connections.Server().Port : connections.Server().DtlsPort;

    private static Connections Site() => Local.Listener(
        o =>
        {
            o.Security = new ListenerSecurity { PreSharedKey = _ => _key, AllowAnonymous = true };
            o.Transmission.AckTimeout = TimeSpan.FromMilliseconds(100);
            o.UseDtls().DtlsPort = 0;
        },
        c =>
        {
            c.BlockBytes = 256;
            c.Transmission.AckTimeout = TimeSpan.FromMilliseconds(100);
            c.UseDtls(d => (d.PskIdentity, d.PreSharedKey) = ("device-1", _key));
        });
}
