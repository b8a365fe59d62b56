using System.Net;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

public sealed class HttpMediateTests
{
    public static TheoryData<string, string?, HttpStatusCode> Failures => new()
    {
        { "timeout", null, HttpStatusCode.GatewayTimeout },
        { "not sent", null, HttpStatusCode.ServiceUnavailable },
        { "words", null, HttpStatusCode.BadRequest },
        { "refused", "4.04", HttpStatusCode.NotFound },
        { "refused", "409", HttpStatusCode.Conflict },
        { "refused", "401", HttpStatusCode.BadGateway },
        { "refused", "5.00", HttpStatusCode.BadGateway },
        { "refused", "503", HttpStatusCode.ServiceUnavailable },
        { "refused", "nonsense", HttpStatusCode.BadGateway },
    };

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task What_goes_wrong_on_the_other_side_is_an_answer(string failure, string? status, HttpStatusCode expected)
    {
        await using var device = new Device(_ => failure switch
        {
            "timeout" => throw new TimeoutException("secret"),
            "not sent" => throw new IOException("secret"),
            "words" => throw new ArgumentException("secret"),
            _ => throw new RequestRefusedException(status!, "The valve is stuck."),
        });
        await using var door = await Door.StartAsync(device);
        using var response = await door.PostAsync("/devices/dev7/cmd", "open");

        Assert.Equal(expected, response.StatusCode);
        string said = await response.Content.ReadAsStringAsync();
        Assert.DoesNotContain("secret", said, StringComparison.Ordinal);
        Assert.Equal(failure == "refused", said.Contains("The valve is stuck.", StringComparison.Ordinal));
        Assert.Equal(failure == "not sent", response.Headers.RetryAfter is not null);
        Assert.Equal(0, door.Mediator.Statistics.Pending);
    }

    [Fact]
    public async Task Requests_and_answers_are_filtered_and_changed_and_named_headers_cross()
    {
        await using var device = new Device(m => new Message("", Encoding.UTF8.GetBytes($"{m.Topic}|{m.Text}|{m.ContentType}|{m.Header("trace")}|{m.Header("cookie")}|{m.Header("by")}"))
        {
            Headers = [new("version", "7"), new("inner", "x"), new("bad", "a\r\nSet-Cookie: b")],
        });
        await using var door = await Door.StartAsync(device, o =>
        {
            o.Headers.Add("trace");
            o.AnswerHeaders.Add("version");
            o.AnswerHeaders.Add("bad");
            o.Where = m => m.Text != "explode";
            o.Transform = m => m.Text == "nothing" ? null : m.WithHeader("by", "door");
            o.TransformAnswer = m => m with { ContentType = "text/plain" };
        });
        using var response = await door.PostAsync("/devices/dev7/cmd", "open", ("trace", "t1"), ("cookie", "c"));

        Assert.Equal("devices/dev7/commands|open|text/plain|t1||door", await response.Content.ReadAsStringAsync());
        Assert.Equal(["7"], response.Headers.GetValues("version"));
        Assert.False(response.Headers.Contains("inner") || response.Headers.Contains("bad") || response.Headers.Contains("Set-Cookie"));
        Assert.Equal("text/plain", response.Content.Headers.ContentType?.MediaType);
        foreach (string refused in new[] { "explode", "nothing" })
        {
            using var no = await door.PostAsync("/devices/dev7/cmd", refused);
            Assert.Equal(HttpStatusCode.BadRequest, no.StatusCode);
        }

        Assert.Equal((1, 2), (door.Mediator.Statistics.Answered, door.Mediator.Statistics.NotTaken));
    }

    [Theory]
    [InlineData("/devices/%2B/cmd")]
    [InlineData("/devices/a%23/cmd")]
    [InlineData("/devices/a%5Cb/cmd")]
    [InlineData("/devices/a%0Ab/cmd")]
    public async Task A_path_that_cannot_be_a_topic_asks_nobody(string path)
    {
        await using var device = new Device(_ => new Message("", default));
        await using var door = await Door.StartAsync(device);
        using var response = await door.PostAsync(path, "open");

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(0, device.Asked);
    }

    [Fact]
    public async Task As_many_requests_wait_as_may()
    {
        var held = new TaskCompletionSource();
        await using var device = new Device(_ => new Message("", "done"u8.ToArray())) { Before = m => m.Topic.Contains("slow", StringComparison.Ordinal) ? held.Task : Task.CompletedTask };
        await using var door = await Door.StartAsync(device, o => (o.MaxPending, o.MaxPendingPerTarget) = (2, 1));
        var first = door.PostAsync("/devices/slow1/cmd", "");
        await device.UntilAskedAsync(1);
        using var same = await door.PostAsync("/devices/slow1/cmd", "");
        using var other = await door.PostAsync("/devices/quick/cmd", "");
        var second = door.PostAsync("/devices/slow2/cmd", "");
        await device.UntilAskedAsync(3);
        using var full = await door.PostAsync("/devices/quick/cmd", "");
        held.SetResult();

        Assert.Equal((HttpStatusCode.TooManyRequests, HttpStatusCode.OK, HttpStatusCode.ServiceUnavailable), (same.StatusCode, other.StatusCode, full.StatusCode));
        Assert.True(same.Headers.RetryAfter?.Delta > TimeSpan.Zero && full.Headers.RetryAfter?.Delta > TimeSpan.Zero);
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), ((await first).StatusCode, (await second).StatusCode));
        Assert.Equal((0, 2), (door.Mediator.Statistics.Pending, door.Mediator.Statistics.TooMany));
    }

    [Fact]
    public async Task A_caller_that_goes_gives_its_request_up()
    {
        await using var device = new Device(_ => new Message("", default)) { Before = _ => new TaskCompletionSource().Task };
        await using var door = await Door.StartAsync(device);
        using var gone = new CancellationTokenSource();
        var request = door.Client.PostAsync(new Uri("/devices/dev7/cmd", UriKind.Relative), new StringContent("open"), gone.Token);
        await device.UntilAskedAsync(1);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);

        await Until.TrueAsync(() => door.Mediator.Statistics is { GivenUp: 1, Pending: 0 });
    }

    [Fact]
    public async Task A_caller_may_wait_for_less_than_the_limit_but_not_for_more()
    {
        await using var device = new Device(_ => new Message("", default));
        await using var door = await Door.StartAsync(device, o => o.Timeout = TimeSpan.FromSeconds(9));
        (await door.PostAsync("/devices/dev7/cmd", "", ("Prefer", "respond-async, wait=3"))).Dispose();
        (await door.PostAsync("/devices/dev7/cmd", "", ("Prefer", "wait=30"))).Dispose();
        (await door.PostAsync("/devices/dev7/cmd", "", ("Prefer", "wait=-1"))).Dispose();

        Assert.Equal([3, 9, 9], device.Timeouts.Select(t => t.TotalSeconds));
    }

    [Fact]
    public async Task Who_may_command_is_asked_for_each_path()
    {
        await using var device = new Device(m => new Message("", Encoding.UTF8.GetBytes(m.Header("by")!)));
        var security = new ListenerSecurity
        {
            Token = token => new ValueTask<Identity?>(new Identity(token, AuthenticationMethod.Token, token == "operator" ? ["dev7", "dev9"] : [])),
            Authorize = (who, action, resource) => new ValueTask<bool>(action == AccessAction.Command && resource != "devices/dev9/cmd"),
            DevicePlace = "device",
        };
        await using var door = await Door.StartAsync(device, o => o.Transform = m => m.WithHeader("by", m.Sender!), security);
        using var nobody = await door.PostAsync("/devices/dev7/cmd", "");
        using var allowed = await door.PostAsync("/devices/dev7/cmd", "", ("Authorization", "Bearer operator"));
        using var foreign = await door.PostAsync("/devices/dev8/cmd", "", ("Authorization", "Bearer operator"));
        using var forbidden = await door.PostAsync("/devices/dev9/cmd", "", ("Authorization", "Bearer operator"));

        Assert.Equal("operator", await allowed.Content.ReadAsStringAsync());
        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.Forbidden, HttpStatusCode.Forbidden), (nobody.StatusCode, foreign.StatusCode, forbidden.StatusCode));
        Assert.Equal(1, device.Asked);
    }

    [Fact]
    public async Task A_request_that_is_too_long_is_refused()
    {
        await using var device = new Device(_ => new Message("", default));
        await using var door = await Door.StartAsync(device, o => o.MaxBytes = 8);
        using var fits = await door.PostAsync("/devices/dev7/cmd", "12345678");
        using var tooLong = await door.PostAsync("/devices/dev7/cmd", "123456789");

        Assert.Equal((HttpStatusCode.NoContent, HttpStatusCode.RequestEntityTooLarge), (fits.StatusCode, tooLong.StatusCode));
    }

    [Theory]
    [InlineData("devices/{device}/cmd", "devices/{other}/commands")]
    [InlineData("devices/{device}/cmd", "devices/+/commands")]
    [InlineData("devices/{device", "devices/x")]
    public void Templates_that_cannot_work_are_refused(string from, string to) => Assert.Throws<ArgumentException>(() => new Mediator(from, to, new Device(_ => null!)));
}
