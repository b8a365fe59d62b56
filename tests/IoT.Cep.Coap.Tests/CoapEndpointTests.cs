using System.Net;
using IoT.Cep.Extensibility;

namespace IoT.Cep.CoapTests;

public class CoapEndpointTests
{
    private static readonly Answering _clock = new(_ => Pair.Content("12:00"));

    [Fact]
    public void A_response_rides_on_the_acknowledgement()
    {
        var pair = Pair.Create(_clock);
        Assert.Equal("12:00", Pair.Text(pair.Get()));
        Assert.Equal([CoapType.Confirmable, CoapType.Acknowledgement], pair.Network.Seen.Select(s => s.Type));
        Assert.Equal(pair.Network.Seen[0].MessageId, pair.Network.Seen[1].MessageId);
        Assert.Equal(pair.Network.Seen[0].Token, pair.Network.Seen[1].Token);
    }

    [Fact]
    public void A_request_that_is_lost_is_repeated_with_doubled_waits()
    {
        var pair = Pair.Create(_clock);
        pair.Network.Loses = s => s.Type == CoapType.Confirmable;
        var error = Assert.Throws<CoapException>(() => pair.Get());
        Assert.Contains("no acknowledgement", error.Message, StringComparison.Ordinal);
        var sent = pair.Network.Seen;
        Assert.Equal(5, sent.Count);
        Assert.Single(sent.Select(s => Convert.ToHexString(s.Bytes)).Distinct());
        double[] waits = [.. sent.Skip(1).Zip(sent, (later, earlier) => (later.At - earlier.At).TotalSeconds)];
        Assert.InRange(waits[0], 2, 3.01);
        for (int i = 1; i < waits.Length; i++)
        {
            Assert.Equal(2, waits[i] / waits[i - 1], 1e-2);
        }

        Assert.InRange((pair.Network.Time.GetUtcNow() - sent[0].At).TotalSeconds, 62, 93.1);
    }

    [Fact]
    public void First_waits_differ_from_request_to_request()
    {
        var waits = Enumerable.Range(0, 20).Select(seed =>
        {
            var pair = Pair.Create(_clock, seed);
            pair.Network.Loses = s => s.Type == CoapType.Confirmable && pair.Network.Seen.Count == 1;
            pair.Get();
            return (pair.Network.Seen[1].At - pair.Network.Seen[0].At).TotalSeconds;
        }).ToList();
        Assert.InRange(waits.Distinct().Count(), 10, 20);
        Assert.InRange(waits.Max() - waits.Min(), 0.3, 1.01);
    }

    [Fact]
    public void A_duplicate_request_is_answered_again_and_handled_once()
    {
        var handler = new Answering(_ => Pair.Content("done"));
        var pair = Pair.Create(handler);
        pair.Network.Loses = s => s.Type == CoapType.Acknowledgement && pair.Network.Seen.Count(x => x.Type == CoapType.Acknowledgement) < 3;
        Assert.Equal("done", Pair.Text(pair.Network.Run(pair.Start(CoapCode.Post))));
        Assert.Single(handler.Requests);
        Assert.Equal(2, pair.Server.Counters.Duplicates);
        Assert.Single(pair.Network.Seen.Where(s => s.Type == CoapType.Acknowledgement).Select(s => Convert.ToHexString(s.Bytes)).Distinct());
    }

    [Fact]
    public void A_message_id_may_come_again_when_the_exchange_lifetime_is_over()
    {
        var handler = new Answering(_ => Pair.Content("done"));
        var pair = Pair.Create(handler);
        pair.Get();
        byte[] request = pair.Network.Seen[0].Bytes;
        Inject(pair, request);
        Assert.Single(handler.Requests);
        pair.Network.Pass(248);
        Inject(pair, request);
        Assert.Equal(2, handler.Requests.Count);
    }

    [Fact]
    public void A_slow_answer_comes_by_itself_behind_an_empty_acknowledgement()
    {
        var answer = new TaskCompletionSource<CoapMessage?>();
        var pair = Pair.Create(new Answering(_ => new ValueTask<CoapMessage?>(answer.Task)));
        var response = pair.Start(CoapCode.Post);
        pair.Network.Pass(5);
        Assert.Equal([(CoapType.Confirmable, CoapCode.Post), (CoapType.Acknowledgement, CoapCode.Empty)], pair.Network.Seen.Select(s => (s.Type, s.Code)));
        answer.SetResult(CoapAnswers.Changed);
        Assert.Equal(CoapCode.Changed, pair.Network.Run(response).Code);
        pair.Network.Pass(1);
        Assert.Equal([(CoapType.Confirmable, CoapCode.Changed), (CoapType.Acknowledgement, CoapCode.Empty)], pair.Network.Seen.Skip(2).Select(s => (s.Type, s.Code)));
    }

    [Fact]
    public void A_separate_response_that_overtakes_its_acknowledgement_counts()
    {
        var pair = Pair.Create(new Answering(async _ =>
        {
            await Task.Delay(TimeSpan.FromSeconds(3), _time!);
            return Pair.Content("late");
        }));
        _time = pair.Network.Time;
        pair.Network.Loses = s => s is { Type: CoapType.Acknowledgement, Code: CoapCode.Empty, From.Port: 5683 };
        Assert.Equal("late", Pair.Text(pair.Get()));
        int sent = pair.Network.Seen.Count(s => s.Code == CoapCode.Get);
        pair.Network.Pass(100);
        Assert.Equal(sent, pair.Network.Seen.Count(s => s.Code == CoapCode.Get));
    }

    private TimeProvider? _time;

    [Fact]
    public void A_ping_is_answered_by_a_reset()
    {
        var pair = Pair.Create(_clock);
        Assert.True(pair.Network.Run(pair.Client.PingAsync(pair.Remote)));
        Assert.Equal([CoapType.Confirmable, CoapType.Reset], pair.Network.Seen.Select(s => s.Type));
        pair.Network.Loss = 1;
        Assert.False(pair.Network.Run(pair.Client.PingAsync(pair.Remote)));
    }

    [Fact]
    public void One_request_after_the_other_goes_to_a_peer()
    {
        var pair = Pair.Create(_clock);
        var all = Task.WhenAll(Enumerable.Range(0, 5).Select(_ => pair.Start(CoapCode.Get)));
        Assert.Single(pair.Network.Seen);
        pair.Network.Run(all);
        int outstanding = 0;
        foreach (var seen in pair.Network.Seen)
        {
            outstanding += seen.Type == CoapType.Confirmable ? 1 : -1;
            Assert.InRange(outstanding, 0, 1);
        }
    }

    [Fact]
    public void Too_many_waiting_requests_are_refused()
    {
        var pair = Pair.Create(_clock, client: new CoapEndpointSettings { MaxWaiting = 3 });
        var started = Enumerable.Range(0, 4).Select(_ => pair.Start(CoapCode.Get)).ToList();
        Assert.True(pair.Start(CoapCode.Get).IsFaulted);
        Assert.Equal(4, pair.Network.Run(Task.WhenAll(started)).Length);
    }

    [Fact]
    public void An_unknown_critical_option_is_refused_and_an_elective_one_ignored()
    {
        var pair = Pair.Create(_clock, server: new CoapEndpointSettings { MaxAmplification = 0 });
        var request = Pair.Request(CoapCode.Get, "time");
        Assert.Equal(CoapCode.Content, Run(pair, request.With(65_000, 1)).Code);
        var refused = Run(pair, request.With(65_001, 1));
        Assert.Equal(CoapCode.BadOption, refused.Code);
        Assert.Contains("65001", Pair.Text(refused), StringComparison.Ordinal);
        Assert.Equal(CoapCode.ProxyingNotSupported, Run(pair, request.With(CoapOptionNumber.ProxyScheme, "coap"u8.ToArray())).Code);
    }

    [Fact]
    public void A_non_confirmable_request_gets_a_non_confirmable_response()
    {
        var pair = Pair.Create(_clock, client: new CoapEndpointSettings { IsConfirmable = false });
        Assert.Equal("12:00", Pair.Text(pair.Get()));
        Assert.All(pair.Network.Seen, s => Assert.Equal(CoapType.NonConfirmable, s.Type));
        var critical = pair.Client.ExchangeAsync(pair.Remote, Pair.Request(CoapCode.Get, "time").With(65_001, 1), null, CancellationToken.None);
        Assert.Throws<CoapException>(() => pair.Network.Run(critical));
    }

    [Fact]
    public void A_response_nobody_waits_for_is_reset()
    {
        var pair = Pair.Create(_clock);
        byte[] response = new byte[16];
        int length = CoapDatagram.Write(response, CoapType.Confirmable, CoapCode.Content, 9, CoapToken.Read([1]), default, default);
        pair.Client.OnDatagram(response.AsSpan(0, length), pair.Remote);
        Assert.Equal((CoapType.Reset, (ushort)9), (pair.Network.Seen[^1].Type, pair.Network.Seen[^1].MessageId));
    }

    [Theory]
    [InlineData("400100010F", 1)] // malformed
    [InlineData("40E10001", 1)] // a signal has no business in a datagram
    [InlineData("40000001", 1)] // a ping
    [InlineData("500100010F", 0)]
    [InlineData("50E10001", 0)]
    [InlineData("50000001", 0)]
    [InlineData("C0010001", 0)] // version 3
    [InlineData("60010001", 0)] // a request as an acknowledgement
    [InlineData("70000001", 0)]
    public void What_makes_no_sense_is_reset_if_it_wants_an_acknowledgement_and_ignored_otherwise(string hex, int answers)
    {
        var pair = Pair.Create(_clock);
        pair.Server.OnDatagram(Convert.FromHexString(hex), new CoapRemote(pair.ClientDatagrams.LocalEndPoint));
        Assert.Equal(answers, pair.Network.Seen.Count(s => s.Type == CoapType.Reset && s.MessageId == 1));
        Assert.Equal(answers, pair.Network.Seen.Count);
    }

    [Fact]
    public void Everything_arrives_once_over_a_network_that_loses_repeats_and_reorders()
    {
        for (int seed = 0; seed < 30; seed++)
        {
            List<string> handled = [];
            var handler = new Answering(async request =>
            {
                handled.Add(Pair.Text(request.Message));
                if (handled.Count % 3 == 0)
                {
                    await Task.Delay(TimeSpan.FromSeconds(1.5), _time!);
                }

                return Pair.Content(Pair.Text(request.Message));
            });
            var pair = Pair.Create(handler, seed, client: new CoapEndpointSettings { Transmission = new CoapTransmission { MaxOutstanding = 4, MaxRetransmit = 8 }, ResponseTimeout = TimeSpan.FromHours(1) },
                server: new CoapEndpointSettings { Transmission = new CoapTransmission { MaxRetransmit = 8 }, MaxAmplification = 0 });
            _time = pair.Network.Time;
            (pair.Network.Loss, pair.Network.Repeat, pair.Network.Jitter) = (0.2, 0.2, TimeSpan.FromSeconds(2));
            var responses = pair.Network.Run(Task.WhenAll(Enumerable.Range(0, 20).Select(i => pair.Start(CoapCode.Post, payload: $"{i}"))), 30_000);
            Assert.Equal(Enumerable.Range(0, 20).Select(i => $"{i}"), responses.Select(Pair.Text));
            Assert.True(handled.Count == 20 && handled.Distinct().Count() == 20, $"Seed {seed}: {string.Join(' ', handled)}");
        }
    }

    [Fact]
    public void A_failing_handler_is_a_server_error_without_details()
    {
        var pair = Pair.Create(new Answering(CoapMessage? (_) => throw new InvalidOperationException("secret")));
        var response = pair.Get();
        Assert.Equal(CoapCode.InternalServerError, response.Code);
        Assert.Equal("", Pair.Text(response));
    }

    [Fact]
    public void Requests_beyond_the_limit_are_told_when_to_come_again()
    {
        var never = new TaskCompletionSource<CoapMessage?>();
        var pair = Pair.Create(new Answering(_ => new ValueTask<CoapMessage?>(never.Task)), server: new CoapEndpointSettings { MaxExchanges = 2 },
            client: new CoapEndpointSettings { Transmission = new CoapTransmission { MaxOutstanding = 3 } });
        _ = pair.Start(CoapCode.Get);
        _ = pair.Start(CoapCode.Get);
        var third = pair.Get();
        Assert.Equal(CoapCode.ServiceUnavailable, third.Code);
        Assert.Equal(1u, third.UInt(CoapOptionNumber.MaxAge));
    }

    [Fact]
    public void A_flood_of_addresses_is_bounded()
    {
        var pair = Pair.Create(_clock, server: new CoapEndpointSettings { MaxPeers = 100, MaxRemembered = 256 });
        pair.Get();
        byte[] request = pair.Network.Seen[0].Bytes;
        for (int i = 0; i < 10_000; i++)
        {
            pair.Server.OnDatagram(request, new CoapRemote(new IPEndPoint(0x0100000A + i, 1)));
        }

        Assert.Equal(100, pair.Server.PeerCount);
        Assert.Equal(256, pair.Server.RememberedCount);
    }

    [Fact]
    public void A_message_id_is_not_used_again_within_the_exchange_lifetime()
    {
        var ids = new MessageIds(65_000, TimeSpan.FromSeconds(247).Ticks);
        var lastUse = new Dictionary<ushort, long>();
        long now = 0;
        for (int i = 0; i < 300_000; i++)
        {
            if (!ids.TryTake(now, out ushort id, out long freeAt))
            {
                Assert.True(freeAt > now);
                now = freeAt;
                Assert.True(ids.TryTake(now, out id, out _));
            }

            Assert.False(lastUse.TryGetValue(id, out long before) && now - before < TimeSpan.FromSeconds(247).Ticks);
            lastUse[id] = now;
        }

        Assert.InRange(TimeSpan.FromTicks(now).TotalSeconds, 600, 1500);
    }

    [Fact]
    public void A_cancelled_request_is_not_repeated_and_frees_its_place()
    {
        var pair = Pair.Create(_clock);
        pair.Network.Loss = 1;
        using var stop = new CancellationTokenSource();
        var cancelled = pair.Client.ExchangeAsync(pair.Remote, Pair.Request(CoapCode.Get, "a"), null, stop.Token);
        pair.Network.Pass(1);
        stop.Cancel();
        Assert.True(cancelled.IsCanceled);
        pair.Network.Loss = 0;
        Assert.Equal("12:00", Pair.Text(pair.Get()));
        pair.Network.Pass(100);
        Assert.Equal(3, pair.Network.Seen.Count);
    }

    [Fact]
    public void No_datagram_whatever_makes_an_endpoint_fail()
    {
        const int Seed = 7641;
        var random = new Random(Seed);
        var pair = Pair.Create(_clock);
        byte[] buffer = new byte[200];
        var from = new CoapRemote(new IPEndPoint(IPAddress.Loopback, 9));
        for (int i = 0; i < 100_000; i++)
        {
            var bytes = buffer.AsSpan(0, random.Next(buffer.Length));
            Hostile.Fill(random, bytes, i);
            (i % 2 == 0 ? pair.Server : pair.Client).OnDatagram(bytes, from);
            if (i % 100 == 0)
            {
                pair.Network.Pass(0.02);
            }
        }

        pair.Network.Pass(500);
        Assert.Equal("12:00", Pair.Text(pair.Get()));
    }

    private static CoapMessage Run(Pair pair, CoapMessage request) =>
        pair.Network.Run(pair.Client.ExchangeAsync(pair.Remote, request, null, CancellationToken.None));

    private static void Inject(Pair pair, byte[] datagram)
    {
        pair.Server.OnDatagram(datagram, new CoapRemote(pair.ClientDatagrams.LocalEndPoint));
        pair.Network.Pass(1);
    }
}
