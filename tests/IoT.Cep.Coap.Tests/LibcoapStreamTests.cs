namespace IoT.Cep.CoapTests;

public class LibcoapStreamTests
{
    [LibcoapTheory]
    [InlineData("coap+tcp")]
    [InlineData("coaps+tcp")]
    public async Task Libcoaps_client_puts_reads_and_observes_over_connections(string scheme)
    {
        using var authority = new TestAuthority();
        var connections = Local.Listener(o => (o.TcpPort, o.TlsPort, o.Certificate) = (0, 0, authority.Server));
        var collector = new Collector();
        await using var running = await connections.ListenAsync("in", collector);
        await using var sink = await connections.OpenAsync(Coap.Resource<string>("big", Local.Utf8, "text/plain"));
        string uri = $"{scheme}://localhost:{(scheme == "coap+tcp" ? connections.Server().TcpPort : connections.Server().TlsPort)}";
        string[] trust = scheme == "coap+tcp" ? [] : ["-C", authority.RootFile];
        Assert.Equal("", await Libcoap.ClientAsync([.. trust, "-m", "put", "-e", "hello", $"{uri}/in"]));
        Assert.Equal("hello", (await collector.NextAsync()).Text);
        string body = string.Concat(Enumerable.Range(0, 4000).Select(i => $"{i:0000}"));
        await sink.WriteAsync(body);
        Assert.Equal(body, await Libcoap.ClientAsync([.. trust, $"{uri}/big"]));
        using var process = Libcoap.Start("/usr/bin/coap-client-openssl", [.. trust, "-w", "-s", "30", $"{uri}/big"]);
        Assert.Equal(body, await process.StandardOutput.ReadLineAsync().WaitAsync(Collector.Patience));
        await sink.WriteAsync("next");
        Assert.Equal("next", await process.StandardOutput.ReadLineAsync().WaitAsync(Collector.Patience));
        process.Kill();
    }

    [LibcoapTheory]
    [InlineData("coap+tcp")]
    [InlineData("coaps+tcp")]
    public async Task We_put_and_observe_at_libcoaps_server_over_connections(string scheme)
    {
        using var authority = new TestAuthority();
        await using var server = await LibcoapServer.StartAsync("-n", "-c", authority.ServerFile, "-j", authority.ServerFile);
        var connections = Local.Listener(client: c => c.Tls = new CoapTlsOptions { CaFile = authority.RootFile });
        string uri = $"{scheme}://127.0.0.1:{(scheme == "coap+tcp" ? server.Port : server.Port + 1)}";
        await using var sink = await connections.OpenAsync(Coap.Put<string>(_ => $"{uri}/example_data", Local.Utf8, "text/plain"));
        string body = string.Concat(Enumerable.Range(0, 4000).Select(i => $"{i:0000}"));
        await sink.WriteAsync(body);
        Assert.Equal(body, await Libcoap.ClientAsync($"coap+tcp://127.0.0.1:{server.Port}/example_data"));
        var collector = new Collector();
        await using var observing = await connections.ObserveAsync($"{uri}/time", collector);
        Assert.NotEqual((await collector.NextAsync()).Text, (await collector.NextAsync()).Text);
    }
}
