using System.Net;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep;

/// <summary>What an endpoint promises its receiver and its senders, with a receiver that a test holds in its hand.</summary>
public sealed class HttpContractTests
{
    private const string One = """{"sensor":"a","v":1}""";

    [Fact]
    public async Task The_receiver_is_called_by_one_request_at_a_time()
    {
        var collector = new Collector { Gate = async _ => await Task.Yield() };
        await using var endpoint = await Endpoint.StartAsync(collector);

        var answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => endpoint.PostAsync($"/t/{i % 20}", One).StatusAsync()));

        Assert.All(answers, status => Assert.Equal(HttpStatusCode.NoContent, status));
        Assert.False(collector.Overlapped);
    }

    [Fact]
    public async Task A_message_reaches_the_receiver_with_what_came_with_it()
    {
        await using var endpoint = await Endpoint.StartAsync(receive: o => o.Headers.Add("X-Site"));

        await endpoint.PostAsync("/t/a%20b", "text", "text/plain; charset=utf-8", ("X-Site", "north"), ("X-Other", "no")).StatusAsync();

        var message = await endpoint.Collector.NextAsync();
        Assert.Equal(("t/a b", "text", "text/plain; charset=utf-8", "north", null), (message.Topic, message.Text, message.ContentType, message.Header, message.Sender));
    }

    [Fact]
    public async Task A_request_waits_for_its_acknowledgement()
    {
        await using var endpoint = await Endpoint.StartAsync(new Collector { AcknowledgeAtOnce = false });

        var answer = endpoint.PostAsync("/t/a", One).StatusAsync();
        var message = await endpoint.Collector.NextAsync();
        Assert.False(answer.IsCompleted);
        message.Acknowledge();

        Assert.Equal(HttpStatusCode.NoContent, await answer);
    }

    [Fact]
    public async Task An_endpoint_that_only_accepts_does_not_wait()
    {
        await using var endpoint = await Endpoint.StartAsync(new Collector { AcknowledgeAtOnce = false }, o => o.Answer = HttpAnswer.Accepted);

        Assert.Equal(HttpStatusCode.Accepted, await endpoint.PostAsync("/t/a", One).StatusAsync());
    }

    [Fact]
    public async Task A_repeated_request_of_an_endpoint_that_only_accepts_gets_the_same_answer()
    {
        await using var endpoint = await Endpoint.StartAsync(receive: o => o.Answer = HttpAnswer.Accepted);

        Assert.Equal(HttpStatusCode.Accepted, await endpoint.PostAsync("/t/a", One, headers: ("Idempotency-Key", "k")).StatusAsync());
        Assert.Equal(HttpStatusCode.Accepted, await endpoint.PostAsync("/t/a", One, headers: ("Idempotency-Key", "k")).StatusAsync());
        Assert.Equal(1, endpoint.Collector.Duplicates);
    }

    [Fact]
    public async Task A_dead_letter_is_told_without_waiting_for_what_came_before_it()
    {
        var collector = new Collector { AcknowledgeAtOnce = false, Rejects = m => m.Text == "bad" ? "v: wrong" : null };
        await using var endpoint = await Endpoint.StartAsync(collector);
        var good = endpoint.PostAsync("/t/a", One).StatusAsync();
        var message = await collector.NextAsync();

        Assert.Equal(HttpStatusCode.BadRequest, await endpoint.PostAsync("/t/a", "bad").StatusAsync());
        Assert.False(good.IsCompleted);
        message.Acknowledge();
        Assert.Equal(HttpStatusCode.NoContent, await good);
    }

    [Fact]
    public async Task A_message_that_is_not_acknowledged_in_time_is_answered_by_503_and_a_retry_by_its_key_is_not_taken_twice()
    {
        var clock = new FakeTimeProvider();
        await using var endpoint = await Endpoint.StartAsync(new Collector { AcknowledgeAtOnce = false }, clock: clock);
        var first = endpoint.PostAsync("/t/a", One, headers: ("Idempotency-Key", "k1"));
        var message = await endpoint.Collector.NextAsync();

        while (!first.IsCompleted)
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(first, Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System));
        }

        using var answer = await first;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal("1", answer.Headers.GetValues("Retry-After").Single());

        var retry = endpoint.PostAsync("/t/a", One, headers: ("Idempotency-Key", "k1"));
        message.Acknowledge();
        using var again = await retry;
        Assert.Equal(HttpStatusCode.NoContent, again.StatusCode);
        Assert.True(again.Headers.Contains("Idempotency-Replayed"));
        Assert.True(endpoint.Collector.IsEmpty);
        Assert.Equal(1, endpoint.Collector.Duplicates);
    }

    [Fact]
    public async Task The_same_key_gets_the_same_answer_until_its_time_is_over()
    {
        var clock = new FakeTimeProvider();
        await using var endpoint = await Endpoint.StartAsync(new Collector { Rejects = _ => "v: wrong" }, clock: clock);

        var first = await endpoint.PostAsync("/t/a", One, headers: ("Idempotency-Key", "k")).TextAsync();
        var second = await endpoint.PostAsync("/t/a", One, headers: ("Idempotency-Key", "k")).TextAsync();
        await endpoint.Collector.NextAsync();

        Assert.Equal(HttpStatusCode.BadRequest, first.Status);
        Assert.Equal(first, second);
        Assert.True(endpoint.Collector.IsEmpty);

        clock.Advance(TimeSpan.FromMinutes(11));
        await endpoint.PostAsync("/t/a", One, headers: ("Idempotency-Key", "k")).TextAsync();
        await endpoint.Collector.NextAsync();
    }

    [Fact]
    public async Task Keys_are_remembered_up_to_a_bound_and_the_oldest_is_forgotten_first()
    {
        await using var endpoint = await Endpoint.StartAsync(receive: o => o.MaxIdempotencyKeys = 2);
        foreach (string key in (string[])["1", "2", "3", "2", "3", "1"])
        {
            Assert.Equal(HttpStatusCode.NoContent, await endpoint.PostAsync("/t/a", key, headers: ("Idempotency-Key", key)).StatusAsync());
        }

        Assert.Equal(["1", "2", "3", "1"], new[] { await TextAsync(), await TextAsync(), await TextAsync(), await TextAsync() });

        async Task<string> TextAsync() => (await endpoint.Collector.NextAsync()).Text;
    }

    [Fact]
    public async Task While_the_engine_holds_back_others_wait_and_are_told_to_come_again()
    {
        var clock = new FakeTimeProvider();
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var collector = new Collector { Gate = _ => new ValueTask(ready.Task) };
        await using var endpoint = await Endpoint.StartAsync(collector, clock: clock);
        Assert.Equal(HttpStatusCode.NoContent, await endpoint.PostAsync("/t/a", "1").StatusAsync());

        var second = endpoint.PostAsync("/t/a", "2").StatusAsync();
        while (!second.IsCompleted)
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(second, Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System));
        }

        Assert.Equal(HttpStatusCode.ServiceUnavailable, await second);
        var third = endpoint.PostAsync("/t/a", "3").StatusAsync();
        ready.SetResult();
        Assert.Equal(HttpStatusCode.NoContent, await third);
        await collector.NextAsync();
        Assert.Equal("3", (await collector.NextAsync()).Text);
    }

    [Fact]
    public async Task Lines_are_not_read_on_while_too_many_are_unacknowledged()
    {
        var collector = new Collector { AcknowledgeAtOnce = false };
        await using var endpoint = await Endpoint.StartAsync(collector, configure: o => o.Security = new ListenerSecurity { Limits = new PrincipalLimits { MaxInFlight = 4 } });
        var answer = endpoint.PostAsync("/t/a", string.Join('\n', Enumerable.Range(0, 10)), "application/x-ndjson").TextAsync();
        var taken = new List<Received>();
        for (int i = 0; i < 4; i++)
        {
            taken.Add(await collector.NextAsync());
        }

        Assert.True(collector.IsEmpty);
        for (int i = 0; i < 10; i++)
        {
            taken[i].Acknowledge();
            while (taken.Count < 10 && taken.Count <= i + 1)
            {
                taken.Add(await collector.NextAsync());
            }

            while (!collector.IsEmpty)
            {
                taken.Add(await collector.NextAsync());
            }
        }

        Assert.Equal((HttpStatusCode.OK, """{"received":10,"rejected":0}"""), await answer);
    }

    [Fact]
    public async Task A_receiver_that_fails_ends_the_run_with_its_error()
    {
        var collector = new Collector { Gate = _ => throw new InvalidDataException("mine") };
        await using var endpoint = await Endpoint.StartAsync(collector);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, await endpoint.PostAsync("/t/a", One).StatusAsync());
        Assert.Equal("mine", (await Assert.ThrowsAsync<InvalidDataException>(() => endpoint.Run.WaitAsync(Collector.Patience))).Message);
    }

    [Fact]
    public async Task A_stopped_source_answers_503()
    {
        await using var endpoint = await Endpoint.StartAsync();
        await endpoint.StopAsync();
        await endpoint.Run;

        Assert.Equal(HttpStatusCode.ServiceUnavailable, await endpoint.PostAsync("/t/a", One).StatusAsync());
    }

    [Fact]
    public async Task A_sender_past_its_rate_is_told_how_long_to_wait()
    {
        var clock = new FakeTimeProvider();
        await using var endpoint = await Endpoint.StartAsync(clock: clock, configure: o => o.Security = new ListenerSecurity
        {
            Token = token => new ValueTask<Identity?>(new Identity(token, AuthenticationMethod.Token)),
            Limits = new PrincipalLimits { MessagesPerSecond = 1, Burst = 2 },
            TimeProvider = clock,
        });
        (string, string) me = ("Authorization", "Bearer me");
        Assert.Equal(HttpStatusCode.NoContent, await endpoint.PostAsync("/t/a", One, headers: me).StatusAsync());
        Assert.Equal(HttpStatusCode.NoContent, await endpoint.PostAsync("/t/a", One, headers: me).StatusAsync());

        using var refused = await endpoint.PostAsync("/t/a", One, headers: me);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal("1", refused.Headers.GetValues("Retry-After").Single());
        Assert.Equal(HttpStatusCode.NoContent, await endpoint.PostAsync("/t/a", One, headers: ("Authorization", "Bearer other")).StatusAsync());
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(HttpStatusCode.NoContent, await endpoint.PostAsync("/t/a", One, headers: me).StatusAsync());
    }
}
