using System.Net;
using System.Net.Sockets;
using System.Text;

namespace IoT.Cep;

public sealed class HttpHostileTests
{
    [Fact]
    public async Task A_flood_of_header_fields_is_refused()
    {
        await using var site = await Site.StartAsync();
        string many = string.Concat(Enumerable.Range(0, 100).Select(i => $"X-{i}: 1\r\n"));
        string @long = $"X-Long: {new string('x', 40_000)}\r\n";

        foreach (string flood in (string[])[many, @long])
        {
            Assert.StartsWith("HTTP/1.1 431", await Requests.RawAsync(site.Address, $"POST /t/a HTTP/1.1\r\nHost: localhost\r\n{flood}Content-Length: 0\r\n\r\n"), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_client_that_never_ends_its_header_is_cut_off_and_others_are_served_meanwhile()
    {
        await using var endpoint = await Endpoint.StartAsync(listen: o => o.HeaderTimeout = TimeSpan.FromSeconds(1));
        var slow = Requests.RawAsync(endpoint.Address, "POST /t/a HTTP/1.1\r\nHost: loc");

        Assert.Equal(HttpStatusCode.NoContent, await endpoint.PostAsync("/t/a", "1").StatusAsync());
        Assert.StartsWith("HTTP/1.1 408", await slow, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lines_that_come_one_by_one_hold_nobody_up_and_each_is_taken_when_it_is_there()
    {
        await using var endpoint = await Endpoint.StartAsync();
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, endpoint.Address.Port);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes("POST /t/slow HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n1\n\r\n"));

        Assert.Equal("1", (await endpoint.Collector.NextAsync()).Text);
        Assert.Equal(HttpStatusCode.NoContent, await endpoint.PostAsync("/t/quick", "2").StatusAsync());
        Assert.Equal("t/quick", (await endpoint.Collector.NextAsync()).Topic);

        // It breaks off in the middle of a line: what was whole was taken, and the rest is nothing.
        await stream.WriteAsync(Encoding.ASCII.GetBytes("4\r\n3\n4"));
        Assert.Equal("3", (await endpoint.Collector.NextAsync()).Text);
        client.Close();
        Assert.Equal(HttpStatusCode.NoContent, await endpoint.PostAsync("/t/quick", "5").StatusAsync());
        Assert.Equal("5", (await endpoint.Collector.NextAsync()).Text);
    }

    [Theory]
    [InlineData("POST /t/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n")]
    [InlineData("POST /t/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")]
    [InlineData("POST /t/%00a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("\0\u0001\u0002\r\n\r\n")]
    public async Task What_is_not_http_is_answered_by_400(string request)
    {
        await using var endpoint = await Endpoint.StartAsync();

        Assert.StartsWith("HTTP/1.1 400", await Requests.RawAsync(endpoint.Address, request), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NoContent, await endpoint.PostAsync("/t/a", "1").StatusAsync());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Lines_of_anything_are_events_or_named_in_the_report(int seed)
    {
        await using var site = await Site.StartAsync();
        var random = new Random(seed);
        byte[] bytes = new byte[20_000];
        random.NextBytes(bytes);
        using var content = new ByteArrayContent(bytes);
        content.Headers.ContentType = new("application/x-ndjson");

        var (status, body) = await site.Client.PostContentAsync("/t/a", content).TextAsync();

        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.DoesNotContain(body, c => char.IsControl(c));
    }

    [Fact]
    public async Task What_a_device_sends_stands_escaped_in_the_answer()
    {
        await using var endpoint = await Endpoint.StartAsync(new Collector { Rejects = m => "<script>\u001b[2J" + m.Text });

        var (_, body) = await endpoint.PostAsync("/t/a", "<b>").TextAsync();

        Assert.DoesNotContain('<', body);
        Assert.DoesNotContain('\u001b', body);
    }
}
