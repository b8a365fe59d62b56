using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json;

namespace IoT.Cep;

public sealed class HttpReceiveTests
{
    [Fact]
    public async Task A_message_is_answered_when_its_effect_is_in_place()
    {
        await using var site = await Site.StartAsync();

        Assert.Equal(HttpStatusCode.NoContent, await site.PostAsync("/t/a", """{"sensor":"a","v":21.5}""").StatusAsync());
        Assert.Equal(new Sample("a", 21.5), await site.NextAsync());
    }

    [Fact]
    public async Task An_answer_does_not_wait_for_a_batch_to_fill()
    {
        await using var site = await Site.StartAsync(source: o => o.MaxBatchDelay = TimeSpan.FromHours(1));

        Assert.Equal(HttpStatusCode.NoContent, await site.PostAsync("/t/a", """{"sensor":"a","v":1}""").StatusAsync());
        Assert.Equal(HttpStatusCode.OK, await site.PostAsync("/t/a", """{"sensor":"a","v":2}""", "application/x-ndjson").StatusAsync());
    }

    [Fact]
    public async Task A_batch_is_one_message_with_several_events()
    {
        await using var site = await Site.StartAsync();

        Assert.Equal(HttpStatusCode.NoContent, await site.PostAsync("/t/a", """[{"sensor":"a","v":1},{"sensor":"a","v":2}]""").StatusAsync());
        Assert.Equal((1, 2), ((await site.NextAsync()).V, (await site.NextAsync()).V));
    }

    [Fact]
    public async Task A_dead_letter_is_answered_by_its_reason_and_field()
    {
        await using var site = await Site.StartAsync();

        var (status, body) = await site.PostAsync("/t/a", """{"sensor":"a","v":"warm"}""").TextAsync();

        Assert.Equal(HttpStatusCode.BadRequest, status);
        var problem = JsonDocument.Parse(body).RootElement;
        Assert.Equal("WrongType", problem.GetProperty("reason").GetString());
        Assert.StartsWith("v: ", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal(1, site.Engine.DeadLetters.Count);
    }

    [Theory]
    [InlineData("{\"sensor\":\"a\",\"v\":1}\n{\"sensor\":\"b\",\"v\":2}\n", HttpStatusCode.OK, "")]
    [InlineData("{\"sensor\":\"a\",\"v\":1}\r\n\n{\"sensor\":\"b\"}\n{\"v\":oops}\n{\"sensor\":\"c\",\"v\":3}", HttpStatusCode.MultiStatus, "1 MissingField;2 Malformed")]
    [InlineData("nothing\n", HttpStatusCode.BadRequest, "0 Malformed")]
    public async Task Each_line_is_a_message_and_those_that_are_wrong_are_named(string lines, HttpStatusCode expected, string errors)
    {
        await using var site = await Site.StartAsync();

        var (status, body) = await site.PostAsync("/t/a", lines, "application/x-ndjson; charset=utf-8").TextAsync();

        Assert.Equal(expected, status);
        var report = JsonDocument.Parse(body).RootElement;
        string found = report.TryGetProperty("errors", out var list)
            ? string.Join(';', list.EnumerateArray().Select(e => $"{e.GetProperty("index")} {e.GetProperty("reason")}")) : "";
        Assert.Equal(errors, found);
    }

    [Fact]
    public async Task A_report_names_no_more_errors_than_it_may_and_counts_all()
    {
        await using var site = await Site.StartAsync(o => o.MaxReportedErrors = 3);
        string lines = string.Concat(Enumerable.Repeat("x\n", 5000)) + """{"sensor":"a","v":1}""";

        var (status, body) = await site.PostAsync("/t/a", lines, "application/x-ndjson").TextAsync();

        Assert.Equal(HttpStatusCode.MultiStatus, status);
        var report = JsonDocument.Parse(body).RootElement;
        Assert.Equal((5001, 5000, 3), (report.GetProperty("received").GetInt32(), report.GetProperty("rejected").GetInt32(), report.GetProperty("errors").GetArrayLength()));
    }

    [Fact]
    public async Task A_line_that_is_too_long_is_rejected_alone()
    {
        await using var site = await Site.StartAsync(o => o.MaxBytes = 64);
        string lines = $$"""
            {"sensor":"{{new string('x', 300)}}","v":1}
            {"sensor":"a","v":2}
            """;

        var (status, body) = await site.PostAsync("/t/a", lines, "application/x-ndjson").TextAsync();

        Assert.Equal(HttpStatusCode.MultiStatus, status);
        Assert.Contains("TooLarge", body, StringComparison.Ordinal);
        Assert.Equal("a", (await site.NextAsync()).Sensor);
    }

    [Theory]
    [InlineData("POST /t/dev7?v=21.5 HTTP/1.1\r\nHost:\r\nContent-Length:0\r\n\r\n")]
    [InlineData("POST /t/dev7?v=21.5 HTTP/1.0\r\nContent-Length:0\r\n\r\n")]
    [InlineData("POST /t/dev7?v=21.5 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "403")]
    [Trait("Requirement", "R20")]
    public async Task A_controller_sends_its_fields_in_the_first_line(string request, string status = "204")
    {
        await using var site = await Site.StartAsync();
        Assert.InRange(request.Length, 1, 200);

        Assert.StartsWith($"HTTP/1.1 {status}", await Requests.RawAsync(site.Address, request), StringComparison.Ordinal);
        if (status == "204")
        {
            Assert.Equal(new Sample("dev7", 21.5), await site.NextAsync());
        }
    }

    [Fact]
    public async Task A_form_is_decoded_like_a_query()
    {
        await using var site = await Site.StartAsync();

        Assert.Equal(HttpStatusCode.NoContent, await site.PostAsync("/t/dev%207", "v=2%2E5&unit=Cel", "application/x-www-form-urlencoded").StatusAsync());
        Assert.Equal(new Sample("dev 7", 2.5), await site.NextAsync());
    }

    [Fact]
    public async Task A_get_sends_nothing_unless_the_endpoint_allows_it()
    {
        await using var closed = await Site.StartAsync();
        await using var open = await Site.StartAsync(o => o.AllowGet = true);

        Assert.Equal(HttpStatusCode.MethodNotAllowed, await closed.Client.GetAsync(new Uri("/t/a?v=1", UriKind.Relative)).StatusAsync());
        Assert.Equal(HttpStatusCode.NoContent, await open.Client.GetAsync(new Uri("/t/a?v=1", UriKind.Relative)).StatusAsync());
        Assert.Equal(new Sample("a", 1), await open.NextAsync());
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    [InlineData("deflate")]
    public async Task A_compressed_body_is_decoded(string encoding)
    {
        await using var site = await Site.StartAsync();
        using var content = Compressed("""[{"sensor":"a","v":1},{"sensor":"b","v":2}]""", encoding);

        Assert.Equal(HttpStatusCode.NoContent, await site.Client.PostContentAsync("/t/a", content).StatusAsync());
        Assert.Equal("a", (await site.NextAsync()).Sensor);
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("application/x-ndjson")]
    public async Task A_body_that_grows_too_much_is_refused_before_it_is_in_memory(string contentType)
    {
        await using var site = await Site.StartAsync();
        using var bomb = Compressed(new string(' ', 50_000_000), "gzip");
        bomb.Headers.ContentType = new(contentType);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, await site.Client.PostContentAsync("/t/a", bomb).StatusAsync());
        Assert.True(site.IsEmpty);
    }

    [Fact]
    public async Task A_body_that_is_not_compressed_as_it_says_is_refused()
    {
        await using var site = await Site.StartAsync();

        Assert.Equal(HttpStatusCode.BadRequest, await site.PostAsync("/t/a", "plain", headers: ("Content-Encoding", "gzip")).StatusAsync());
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, await site.PostAsync("/t/a", "plain", headers: ("Content-Encoding", "zstd")).StatusAsync());
    }

    [Fact]
    public async Task A_body_past_the_limit_is_refused_with_and_without_a_length()
    {
        await using var site = await Site.StartAsync(o => o.MaxBytes = 1000);
        string body = $$"""{"sensor":"{{new string('x', 2000)}}","v":1}""";

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, await site.PostAsync("/t/a", body).StatusAsync());
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, await site.PostAsync("/t/a", body, headers: ("Transfer-Encoding", "chunked")).StatusAsync());
        Assert.True(site.IsEmpty);
    }

    [Fact]
    public async Task Other_media_types_than_those_named_are_refused()
    {
        await using var site = await Site.StartAsync(o => o.ContentTypes.Add("application/json"));

        Assert.Equal(HttpStatusCode.UnsupportedMediaType, await site.PostAsync("/t/a", "x", "text/plain").StatusAsync());
        Assert.Equal(HttpStatusCode.NoContent, await site.PostAsync("/t/a", """{"sensor":"a","v":1}""", "application/json; charset=utf-8").StatusAsync());
    }

    [Fact]
    public async Task Only_the_template_s_own_paths_are_taken()
    {
        await using var site = await Site.StartAsync();

        Assert.Equal(HttpStatusCode.NotFound, await site.PostAsync("/T/a", "{}").StatusAsync());
        Assert.Equal(HttpStatusCode.NotFound, await site.PostAsync("/t/a/", "{}").StatusAsync());
        Assert.Equal(HttpStatusCode.NotFound, await site.PostAsync("/t/a/b", "{}").StatusAsync());
    }

    private static ByteArrayContent Compressed(string text, string encoding)
    {
        var bytes = new MemoryStream();
        using (Stream packed = encoding switch
        {
            "gzip" => new GZipStream(bytes, CompressionLevel.SmallestSize, leaveOpen: true),
            "br" => new BrotliStream(bytes, CompressionLevel.Fastest, leaveOpen: true),
            _ => new ZLibStream(bytes, CompressionLevel.Fastest, leaveOpen: true),
        })
        {
            packed.Write(Encoding.UTF8.GetBytes(text));
        }

        var content = new ByteArrayContent(bytes.ToArray());
        content.Headers.ContentEncoding.Add(encoding);
        content.Headers.ContentType = new("application/json");
        return content;
    }
}
