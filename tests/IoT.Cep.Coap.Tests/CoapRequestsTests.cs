using System.Text;
using IoT.Cep.Extensibility;
using IoT.Cep.Testing;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep.CoapTests;

/// <summary>What <see cref="IRequests"/> promises, over CoAP.</summary>
public class CoapRequestsTests
{
    private static readonly TimeSpan _long = Collector.Patience;

    public static TheoryData<string> Schemes => ["coap", "coaps", "coap+tcp", "coaps+tcp"];

    [Theory]
    [MemberData(nameof(Schemes))]
    public async Task Each_of_many_requests_gets_its_own_answer(string scheme)
    {
        await using var site = new Guarded(scheme, new PrincipalLimits());
        await using var rooms = await site.Connections.OpenAsync(Coap.Resource<(string Where, string What)>(r => $"rooms/{r.Where}", Local.Utf8, "text/plain"));
        await rooms.WriteAsync([.. Enumerable.Range(0, 40).Select(i => ($"r {i}", new string((char)('a' + (i % 26)), i * 50)))]);
        await using var requests = CoapRequests.Open(site.Uri("rooms"), site.Connections.Find<CoapOptions>(), new CoapRequestOptions { Method = _ => CoapMethod.Get, MaxInFlight = 5 });
        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => requests.RequestAsync(new Message($"r {i}", default), _long).AsTask()));
        for (int i = 0; i < 40; i++)
        {
            Assert.Equal(($"r {i}", new string((char)('a' + (i % 26)), i * 50), "2.05"), (answers[i].Topic, answers[i].Text, answers[i].Header("status")));
        }

        Assert.Equal(("text/plain; charset=utf-8", "60"), (answers[1].ContentType, answers[1].Header("max-age")));
    }

    [Fact]
    public async Task Body_type_and_chosen_headers_go_along_and_the_effect_is_the_answer()
    {
        var connections = Local.Listener();
        var collector = new Collector();
        await using var running = await connections.ListenAsync("plant/{line}", collector);
        await using var requests = CoapRequests.Open($"coap://127.0.0.1:{connections.Server().Port}/plant", requests: new CoapRequestOptions { QueryHeaders = ["unit"] });
        var request = new Message("7", new ReadOnlyMemory<byte>(Encoding.UTF8.GetBytes("{}"))) { ContentType = "application/json", Headers = [new("secret", "x"), new("unit", "K")] };
        Assert.Equal("2.04", (await requests.RequestAsync(request, _long)).Header("status"));
        var received = await collector.NextAsync();
        Assert.Equal(("plant/7", "{}", "application/json", "unit=K"), (received.Topic, received.Text, received.ContentType, received.Query));
    }

    [Fact]
    public async Task A_refusal_is_told_with_its_status_and_text()
    {
        var connections = Local.Listener();
        await using var running = await connections.ListenAsync("in", new Collector { Reject = _ => (DeadLetterReason.MissingField, "celsius is missing") });
        await using var requests = CoapRequests.Open($"coap://127.0.0.1:{connections.Server().Port}");
        var refused = await Assert.ThrowsAsync<RequestRefusedException>(() => requests.RequestAsync(new Message("in", "a longer body, that an answer may be as long as"u8.ToArray()), _long).AsTask());
        Assert.Equal(("4.22", "celsius is missing"), (refused.Status, refused.Answer!.Text));
        refused = await Assert.ThrowsAsync<RequestRefusedException>(() => requests.RequestAsync(new Message("elsewhere", default), _long).AsTask());
        Assert.Equal(("4.04", null), (refused.Status, refused.Answer));
    }

    [Theory]
    [MemberData(nameof(Schemes))]
    public async Task An_answer_that_does_not_come_in_time_is_a_timeout_by_the_given_clock(string scheme)
    {
        var clock = new FakeTimeProvider();
        await using var site = new Guarded(scheme, new PrincipalLimits());
        var collector = new Collector { AcknowledgeAtOnce = false };
        await using var running = await site.Connections.ListenAsync("in", collector);
        await using var requests = CoapRequests.Open(site.Uri(""), site.Connections.Find<CoapOptions>(), new CoapRequestOptions { TimeProvider = clock });
        var waiting = requests.RequestAsync(new Message("in", "1"u8.ToArray()), TimeSpan.FromSeconds(1)).AsTask();
        await collector.NextAsync();
        Assert.False(waiting.IsCompleted);
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Contains("'in'", (await Assert.ThrowsAsync<TimeoutException>(() => waiting.WaitAsync(_long))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_could_not_be_sent_is_an_IO_error_and_the_next_one_connects_again()
    {
        var connections = Local.Listener(o => o.TcpPort = 0);
        await using var running = await connections.ListenAsync("in", new Collector());
        await using var proxy = new LoopbackProxy(connections.Server().TcpPort);
        await using var requests = CoapRequests.Open($"coap+tcp://127.0.0.1:{proxy.Port}");
        var message = new Message("in", "1"u8.ToArray());
        await requests.RequestAsync(message, _long);
        proxy.Cut();
        await Guarded.UntilAsync(() => Fails<IOException>(requests, message));
        proxy.Restore();
        Assert.Equal("2.04", (await requests.RequestAsync(message, _long)).Header("status"));
    }

    [Fact]
    public async Task What_cannot_be_a_request_is_refused_before_it_is_sent()
    {
        await using var requests = CoapRequests.Open("coap://127.0.0.1:9/base", new CoapOptions { MaxBodyBytes = 10 });
        foreach (var wrong in new[]
        {
            new Message("../other", default), new Message(new string('x', 256), default), new Message("a", new byte[11]), new Message("a", new byte[1]) { ContentType = "text/nonsense" },
        })
        {
            await Assert.ThrowsAsync<ArgumentException>(() => requests.RequestAsync(wrong, _long).AsTask());
        }

        Assert.Equal("coap 127.0.0.1:9", requests.Name);
    }

    [Fact]
    public async Task Requests_that_wait_are_cancelled_by_their_sender_and_by_the_end()
    {
        var connections = Local.Listener();
        var collector = new Collector { AcknowledgeAtOnce = false };
        await using var running = await connections.ListenAsync("in", collector);
        var requests = CoapRequests.Open($"coap://127.0.0.1:{connections.Server().Port}", requests: new CoapRequestOptions { MaxInFlight = 1 });
        using var stop = new CancellationTokenSource();
        var first = requests.RequestAsync(new Message("in", "1"u8.ToArray()), _long, stop.Token).AsTask();
        await collector.NextAsync();
        var second = requests.RequestAsync(new Message("in", "2"u8.ToArray()), _long).AsTask();
        Assert.True(collector.IsEmpty);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first.WaitAsync(_long));
        await collector.NextAsync();
        await requests.DisposeAsync().AsTask().WaitAsync(_long);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second.WaitAsync(_long));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => requests.RequestAsync(new Message("in", default), _long).AsTask());
    }

    private static bool Fails<T>(CoapRequests requests, Message message)
        where T : Exception
    {
        var request = requests.RequestAsync(message, _long).AsTask();
        return Task.WhenAny(request).Wait(_long) && request.Exception?.InnerException is T;
    }
}
