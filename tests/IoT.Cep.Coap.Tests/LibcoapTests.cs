namespace IoT.Cep.CoapTests;

public class LibcoapTests
{
    [LibcoapFact]
    public async Task Our_source_takes_what_libcoaps_client_puts_and_posts()
    {
        var connections = Local.Listener();
        var collector = new Collector();
        await using var running = await connections.ListenAsync("plant/{line}", collector);
        string output = await Libcoap.ClientAsync("-m", "put", "-t", "50", "-e", "{\"v\":1}", $"coap://127.0.0.1:{connections.Server().Port}/plant/7?a=b");
        var received = await collector.NextAsync();
        Assert.Equal(("plant/7", "{\"v\":1}", "application/json", "a=b"), (received.Topic, received.Text, received.ContentType, received.Query));
        Assert.Equal("", output);
        await Libcoap.ClientAsync("-N", "-m", "post", "-e", "non", $"coap://127.0.0.1:{connections.Server().Port}/plant/8");
        Assert.Equal("non", (await collector.NextAsync()).Text);
    }

    [LibcoapFact]
    public async Task Libcoaps_client_prints_why_a_message_was_refused()
    {
        var connections = Local.Listener();
        await using var running = await connections.ListenAsync("in", new Collector { Reject = _ => (Extensibility.DeadLetterReason.MissingField, "celsius") });
        Assert.Contains("4.22 celsius", await Libcoap.ClientAsync("-m", "post", "-e", "{}", $"coap://127.0.0.1:{connections.Server().Port}/in"), StringComparison.Ordinal);
    }

    [LibcoapFact]
    public async Task Libcoaps_client_gets_a_separate_response()
    {
        var connections = Local.Listener();
        var collector = new Collector { AcknowledgeAtOnce = false, Reject = null };
        await using var running = await connections.ListenAsync("in", collector);
        var output = Libcoap.ClientAsync("-v", "7", "-m", "post", "-e", "x", $"coap://127.0.0.1:{connections.Server().Port}/in");
        var received = await collector.NextAsync();
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1.6));
        await timer.WaitForNextTickAsync();
        received.Acknowledger!.Acknowledge(received.Delivery!);
        string text = await output;
        Assert.Contains("t:ACK c:0.00", text, StringComparison.Ordinal);
        Assert.Contains("t:CON c:2.04", text, StringComparison.Ordinal);
    }

    [LibcoapFact]
    public async Task Libcoaps_client_reads_lists_and_observes_our_resources()
    {
        var connections = Local.Listener();
        await using var sink = await connections.OpenAsync(Coap.Resource<string>("alarm", Local.Utf8, "text/plain", new CoapResourceOptions { ResourceType = "alarm" }));
        string uri = $"coap://127.0.0.1:{connections.Server().Port}";
        await sink.WriteAsync("first");
        Assert.Equal("first", await Libcoap.ClientAsync($"{uri}/alarm"));
        Assert.Equal("</alarm>;rt=\"alarm\";ct=0;obs", await Libcoap.ClientAsync($"{uri}/.well-known/core"));
        Assert.Equal("", await Libcoap.ClientAsync($"{uri}/.well-known/core?rt=other"));
        using var process = Libcoap.Start("/usr/bin/coap-client-openssl", "-w", "-s", "30", $"{uri}/alarm");
        foreach (string next in new[] { "second", "third" })
        {
            Assert.NotEmpty((await process.StandardOutput.ReadLineAsync().WaitAsync(Collector.Patience))!);
            await sink.WriteAsync(next);
        }

        Assert.Equal("third", await process.StandardOutput.ReadLineAsync().WaitAsync(Collector.Patience));
        process.Kill();
    }

    [LibcoapFact]
    public async Task Blocks_go_both_ways_with_libcoaps_client()
    {
        var connections = Local.Listener();
        var collector = new Collector();
        await using var running = await connections.ListenAsync("in", collector);
        await using var sink = await connections.OpenAsync(Coap.Resource<string>("big", Local.Utf8, "text/plain"));
        string body = string.Concat(Enumerable.Range(0, 1200).Select(i => $"{i:0000} "));
        string file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, body);
        string uri = $"coap://127.0.0.1:{connections.Server().Port}";
        await Libcoap.ClientAsync("-b", "256", "-m", "put", "-f", file, $"{uri}/in");
        Assert.Equal(body, (await collector.NextAsync()).Text);
        await sink.WriteAsync(body);
        await Libcoap.ClientAsync("-b", "128", "-o", file, $"{uri}/big");
        Assert.Equal(body, await File.ReadAllTextAsync(file));
        File.Delete(file);
    }

    [LibcoapFact]
    public async Task A_lossy_client_of_libcoap_delivers_each_message_once()
    {
        var connections = Local.Listener();
        var collector = new Collector();
        await using var running = await connections.ListenAsync("in", collector);
        for (int i = 0; i < 3; i++)
        {
            // The first two of its datagrams are not sent.
            await Libcoap.ClientAsync("-l", "1-2", "-m", "post", "-e", $"{i}", $"coap://127.0.0.1:{connections.Server().Port}/in");
            Assert.Equal($"{i}", (await collector.NextAsync()).Text);
        }

        Assert.True(collector.IsEmpty);
    }

    [LibcoapFact]
    public async Task Our_sinks_put_and_post_to_libcoaps_server()
    {
        await using var server = await LibcoapServer.StartAsync();
        var connections = Local.Listener();
        await using var sink = await connections.OpenAsync(Coap.Put<string>(_ => $"coap://127.0.0.1:{server.Port}/example_data", Local.Utf8, "text/plain"));
        await sink.WriteAsync("one");
        Assert.Equal("one", await Libcoap.ClientAsync($"coap://127.0.0.1:{server.Port}/example_data"));
        string body = string.Concat(Enumerable.Range(0, 2000).Select(i => $"{i:0000} "));
        await sink.WriteAsync(body);
        Assert.Equal(body.Trim(), await Libcoap.ClientAsync($"coap://127.0.0.1:{server.Port}/example_data"));
    }

    [LibcoapFact]
    public async Task Our_source_observes_libcoaps_server()
    {
        await using var server = await LibcoapServer.StartAsync();
        var connections = Local.Listener();
        var collector = new Collector();
        await using var observing = await connections.ObserveAsync($"coap://127.0.0.1:{server.Port}/time", collector);
        string[] times = [(await collector.NextAsync()).Text, (await collector.NextAsync()).Text, (await collector.NextAsync()).Text];
        Assert.Equal(3, times.Distinct().Count());
    }

    [LibcoapFact]
    public async Task Our_client_reads_what_a_lossy_server_of_libcoap_sends_in_blocks()
    {
        await using var server = await LibcoapServer.StartAsync("-l", "20%");
        var connections = Local.Listener();
        await using var sink = await connections.OpenAsync(Coap.Put<string>(_ => $"coap://127.0.0.1:{server.Port}/example_data", Local.Utf8));
        string body = string.Concat(Enumerable.Range(0, 1000).Select(i => $"{i:0000} "));
        await sink.WriteAsync(body);
        await using var client = await LocalClient.ConnectAsync(server.Port);
        Assert.Equal(body, Pair.Text(await client.SendAsync(Pair.Request(CoapCode.Get, "example_data"))));
    }

    [LibcoapFact]
    public async Task Our_client_waits_for_a_separate_response_of_libcoaps_server()
    {
        await using var server = await LibcoapServer.StartAsync();
        await using var client = await LocalClient.ConnectAsync(server.Port);
        var response = await client.SendAsync(Pair.Request(CoapCode.Get, "async").With(CoapOptionNumber.UriQuery, "1"u8.ToArray()));
        Assert.Equal((CoapCode.Content, "done"), (response.Code, Pair.Text(response)));
        Assert.Contains("</time>", Pair.Text(await client.SendAsync(Pair.Request(CoapCode.Get, ".well-known/core"))), StringComparison.Ordinal);
    }
}
