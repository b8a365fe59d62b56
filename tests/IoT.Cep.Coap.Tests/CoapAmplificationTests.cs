using IoT.Cep.Extensibility;

namespace IoT.Cep.CoapTests;

public class CoapAmplificationTests
{
    private static readonly string _large = new('x', 500);

    [Fact]
    public void A_large_answer_to_an_unknown_address_asks_first_whose_it_is()
    {
        var handler = new Answering(_ => Pair.Content(_large));
        var pair = Pair.Create(handler);
        var challenge = pair.Get();
        Assert.Equal(CoapCode.Unauthorized, challenge.Code);
        var echo = challenge.Opaque(CoapOptionNumber.Echo);
        Assert.NotNull(echo);
        var answer = Run(pair, Pair.Request(CoapCode.Get, "time").With(CoapOptionNumber.Echo, echo.Value));
        Assert.Equal(_large, Pair.Text(answer));
        Assert.Equal(_large, Pair.Text(pair.Get()));
    }

    [Fact]
    public void A_verified_address_must_show_itself_again_after_a_time()
    {
        var pair = Pair.Create(new Answering(_ => Pair.Content(_large)));
        var echo = pair.Get().Opaque(CoapOptionNumber.Echo);
        Run(pair, Pair.Request(CoapCode.Get, "time").With(CoapOptionNumber.Echo, echo!.Value));
        pair.Network.Pass(599);
        Assert.Equal(CoapCode.Content, pair.Get().Code);
        pair.Network.Pass(10);
        Assert.Equal(CoapCode.Unauthorized, pair.Get().Code);
    }

    [Theory]
    [InlineData(0, "10.0.0.3")] // somebody else's
    [InlineData(61, "10.0.0.2")] // too old
    public void An_Echo_counts_for_its_address_and_for_a_minute(double seconds, string address)
    {
        var pair = Pair.Create(new Answering(_ => Pair.Content(_large)));
        byte[] echo = pair.Get().Opaque(CoapOptionNumber.Echo)!.Value.ToArray();
        pair.Network.Pass(seconds);
        byte[] request = Encode(Pair.Request(CoapCode.Get, "time").With(CoapOptionNumber.Echo, echo));
        pair.Server.OnDatagram(request, new CoapRemote(new System.Net.IPEndPoint(System.Net.IPAddress.Parse(address), 40_000)));
        Assert.Equal(CoapCode.Unauthorized, pair.Network.Seen[^1].Code);
    }

    [Fact]
    public void An_observation_begins_only_at_a_verified_address()
    {
        var handler = new Answering(_ => Pair.Content("1"));
        var pair = Pair.Create(handler);
        var challenge = Run(pair, Pair.Request(CoapCode.Get, "time").With(CoapOptionNumber.Observe, 0));
        Assert.Equal(CoapCode.Unauthorized, challenge.Code);
        Assert.Empty(handler.Requests);
    }

    [Fact]
    public void Done_is_done_what_was_posted_is_answered_by_its_code_alone()
    {
        var pair = Pair.Create(new Answering(_ => new CoapMessage(CoapCode.Changed, default, new byte[500])));
        var response = pair.Network.Run(pair.Start(CoapCode.Post));
        Assert.Equal(CoapCode.Changed, response.Code);
        Assert.True(response.Payload.IsEmpty);
    }

    [Fact]
    public void Never_more_than_three_times_what_came_goes_to_an_unverified_address()
    {
        const int Seed = 9175;
        var random = new Random(Seed);
        var late = new List<TaskCompletionSource<CoapMessage?>>();
        var handler = new Answering(request =>
        {
            var response = new CoapMessage(random.Next(2) == 0 ? CoapCode.Content : CoapCode.NotFound, default, new byte[random.Next(300)]);
            if (random.Next(2) == 0)
            {
                return ValueTask.FromResult<CoapMessage?>(response);
            }

            late.Add(new TaskCompletionSource<CoapMessage?>(response));
            return new ValueTask<CoapMessage?>(late[^1].Task);
        });
        var pair = Pair.Create(handler, Seed);
        for (int i = 0; i < 300; i++)
        {
            pair.Network.Seen.Clear();
            var victim = new System.Net.IPEndPoint(System.Net.IPAddress.Parse("10.9.9.9"), 7 + i);
            var request = Pair.Request(random.Next(2) == 0 ? CoapCode.Get : CoapCode.Post, new string('p', random.Next(1, 40)), new string('b', random.Next(60)));
            byte[] bytes = Encode(request, (ushort)i, confirmable: random.Next(4) != 0);
            pair.Server.OnDatagram(bytes, new CoapRemote(victim));
            pair.Network.Pass(1);
            late.ForEach(l => l.TrySetResult((CoapMessage?)l.Task.AsyncState));
            pair.Network.Pass(120);
            int sent = pair.Network.Seen.Where(s => s.To.Equals(victim)).Sum(s => s.Bytes.Length);
            Assert.True(sent <= 3 * bytes.Length, $"Seed {Seed}, request {i}: {sent} bytes for {bytes.Length}.");
        }
    }

    private static byte[] Encode(CoapMessage request, ushort id = 5, bool confirmable = true)
    {
        byte[] bytes = new byte[CoapDatagram.Measure(default, request.Options.Span, request.Payload.Span)];
        CoapDatagram.Write(bytes, confirmable ? CoapType.Confirmable : CoapType.NonConfirmable, request.Code, id, default, request.Options.Span, request.Payload.Span);
        return bytes;
    }

    private static CoapMessage Run(Pair pair, CoapMessage request) =>
        pair.Network.Run(pair.Client.ExchangeAsync(pair.Remote, request, null, CancellationToken.None));
}
