using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace IoT.Cep;

public sealed class HttpPublishTests
{
    [Fact]
    [Trait("Requirement", "R53")]
    public async Task Results_go_out_as_events_and_a_client_that_comes_back_gets_what_it_missed()
    {
        await using var site = await PublishingAsync();
        using var first = await Events.OpenAsync(site.Client, "/out");
        await SendAsync(site, 1, 2);
        var one = await first.NextAsync();
        Assert.Equal("1", one.Data);
        Assert.Equal("2", (await first.NextAsync()).Data);

        await SendAsync(site, 3);
        using var again = await Events.OpenAsync(site.Client, "/out", one.Id);

        Assert.Equal(["2", "3"], new[] { (await again.NextAsync()).Data, (await again.NextAsync()).Data });
    }

    [Fact]
    public async Task A_client_that_missed_more_than_is_kept_is_told_how_many()
    {
        await using var site = await PublishingAsync(o => o.KeptResults = 2);
        using var first = await Events.OpenAsync(site.Client, "/out");
        await SendAsync(site, 1);
        var one = await first.NextAsync();
        for (int i = 2; i < 7; i++)
        {
            await SendAsync(site, i);
            Assert.Equal($"{i}", (await first.NextAsync()).Data);
        }

        using var again = await Events.OpenAsync(site.Client, "/out", one.Id);

        Assert.Equal(("lost", "3"), ((await again.NextAsync()) is var lost ? (lost.Name, lost.Data) : default));
        Assert.Equal("5", (await again.NextAsync()).Data);
        Assert.Equal(3, site.Http.Statistics.Lost);
    }

    [Fact]
    public async Task An_id_of_another_run_gives_all_that_is_kept()
    {
        await using var site = await PublishingAsync();
        using var first = await Events.OpenAsync(site.Client, "/out");
        await SendAsync(site, 1);
        await first.NextAsync();

        using var again = await Events.OpenAsync(site.Client, "/out", "0123abcd-77");

        Assert.Equal("1", (await again.NextAsync()).Data);
    }

    [Fact]
    public async Task A_result_of_several_lines_stays_one_event()
    {
        await using var site = await Site.StartAsync(more: (_, samples, http) =>
            samples.To(http.Publish<Sample>("/out", (s, output) => Encoding.UTF8.GetBytes("a\r\nid: x\n\nevent: b", output))));
        using var events = await Events.OpenAsync(site.Client, "/out");
        await SendAsync(site, 1);

        var got = await events.NextAsync();

        Assert.Equal(("a\nid: x\n\nevent: b", ""), (got.Data, got.Name));
    }

    [Theory]
    [InlineData("/out")]
    [InlineData("/c/dev7?wait=60")]
    public async Task Requests_that_stay_do_not_hold_up_a_stop(string path)
    {
        using var server = new HttpServer();
        server.Publish<Sample>("/out", (_, _) => { });
        server.Commands<Sample>("/c/{device}", s => s.Sensor, (_, _) => { });
        var listening = await server.ListenAsync();
        using var client = new HttpClient { BaseAddress = listening.Address };
        var open = client.GetAsync(new Uri(path, UriKind.Relative)).TextAsync();
        while (server.Statistics.Clients + server.Statistics.Waiting == 0)
        {
            await Task.Yield();
        }

        await listening.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(15));

        await open.WaitAsync(Collector.Patience);
    }

    [Fact]
    public async Task No_more_may_listen_than_the_endpoint_allows()
    {
        await using var site = await PublishingAsync(o => o.MaxClients = 1);
        using var first = await Events.OpenAsync(site.Client, "/out");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, await site.Client.GetAsync(new Uri("/out", UriKind.Relative)).StatusAsync());
    }

    [Fact]
    [Trait("Requirement", "R53")]
    public async Task Results_go_out_by_a_websocket_that_opens_at_the_same_path()
    {
        await using var site = await PublishingAsync();
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new UriBuilder(site.Address) { Scheme = "ws", Path = "/out" }.Uri, CancellationToken.None);
        while (site.Http.Statistics.Clients == 0)
        {
            await Task.Yield();
        }

        await SendAsync(site, 7);

        Assert.Equal("7", await ReadAsync(socket));
    }

    [Fact]
    public async Task Each_message_of_a_websocket_is_a_message_and_is_acknowledged_where_that_is_asked_for()
    {
        await using var site = await Site.StartAsync();
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new UriBuilder(site.Address) { Scheme = "ws", Path = "/t/a", Query = "ack=true" }.Uri, CancellationToken.None);
        foreach (string message in (string[])["""{"sensor":"a","v":1}""", "nonsense", """{"sensor":"a","v":3}"""])
        {
            await socket.SendAsync(Encoding.UTF8.GetBytes(message), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
        }

        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", CancellationToken.None);

        var told = new List<JsonNode>();
        while (await ReadAsync(socket) is { } text)
        {
            told.Add(JsonNode.Parse(text)!);
        }

        Assert.Equal(3, (int)told.Last(t => t["acknowledged"] is not null)["acknowledged"]!);
        Assert.Equal((1, "Malformed"), told.Single(t => t["rejected"] is not null)["rejected"] is { } r ? ((int)r["index"]!, (string)r["reason"]!) : default);
        Assert.Equal((1, 3), ((await site.NextAsync()).V, (await site.NextAsync()).V));
    }

    [Fact]
    public async Task A_websocket_message_past_the_limit_closes_it()
    {
        await using var site = await Site.StartAsync(o => o.MaxBytes = 100);
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new UriBuilder(site.Address) { Scheme = "ws", Path = "/t/a" }.Uri, CancellationToken.None);

        await socket.SendAsync(new byte[200], WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);

        Assert.Null(await ReadAsync(socket));
        Assert.Equal(WebSocketCloseStatus.MessageTooBig, socket.CloseStatus);
    }

    [Fact]
    public async Task A_page_of_elsewhere_can_open_no_websocket()
    {
        await using var site = await PublishingAsync();
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Origin", "http://evil.example");

        var error = await Assert.ThrowsAsync<WebSocketException>(() =>
            socket.ConnectAsync(new UriBuilder(site.Address) { Scheme = "ws", Path = "/out" }.Uri, CancellationToken.None));
        Assert.Contains("403", error.Message, StringComparison.Ordinal);
    }

    private static Task<Site> PublishingAsync(Action<HttpPublishOptions>? configure = null) => Site.StartAsync(more: (_, samples, http) =>
        samples.To(http.Publish<Sample>("/out", (s, output) =>
        {
            using var json = new Utf8JsonWriter(output);
            json.WriteNumberValue(s.V);
        }, configure)));

    private static async Task SendAsync(Site site, params int[] values)
    {
        foreach (int value in values)
        {
            await site.PostAsync("/t/a", $$"""{"sensor":"a","v":{{value}}}""").StatusAsync();
        }
    }

    private static async Task<string?> ReadAsync(ClientWebSocket socket)
    {
        byte[] buffer = new byte[1000];
        var got = await socket.ReceiveAsync(buffer.AsMemory(), CancellationToken.None).AsTask().WaitAsync(Collector.Patience);
        return got.MessageType == WebSocketMessageType.Close ? null : Encoding.UTF8.GetString(buffer, 0, got.Count);
    }
}

/// <summary>An event of a stream, as a browser understands it.</summary>
internal sealed record ServerEvent(string Id, string Name, string Data);

/// <summary>Reads server-sent events.</summary>
internal sealed class Events : IDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly StreamReader _reader;

    private Events(HttpResponseMessage response, Stream stream) => (_response, _reader) = (response, new StreamReader(stream));

    internal static async Task<Events> OpenAsync(HttpClient client, string path, string? lastId = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (lastId is not null)
        {
            request.Headers.Add("Last-Event-ID", lastId);
        }

        var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).WaitAsync(Collector.Patience);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        return new Events(response, await response.Content.ReadAsStreamAsync());
    }

    internal async Task<ServerEvent> NextAsync(TimeSpan? patience = null)
    {
        var got = new ServerEvent("", "", "");
        bool hasData = false;
        while (true)
        {
            string line = await _reader.ReadLineAsync().WaitAsync(patience ?? Collector.Patience) ?? throw new EndOfStreamException();
            if (line.Length == 0 && hasData)
            {
                return got;
            }

            got = line.Split(": ", 2) switch
            {
                ["id", var id] => got with { Id = id },
                ["event", var name] => got with { Name = name },
                ["data", var data] => got with { Data = hasData ? got.Data + "\n" + data : data },
                _ => got,
            };
            hasData |= line.StartsWith("data", StringComparison.Ordinal);
        }
    }

    public void Dispose()
    {
        _reader.Dispose();
        _response.Dispose();
    }
}
