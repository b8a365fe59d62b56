namespace IoT.Cep.CoapTests;

public class CoapBlockwiseTests
{
    [Theory]
    [InlineData(1024, 1)]
    [InlineData(1025, 2)]
    [InlineData(5000, 5)]
    public void A_long_response_comes_in_blocks(int length, int blocks)
    {
        string body = Body(length);
        var site = new Site(inner: new Answering(_ => Pair.Content(body)));
        Assert.Equal(body, Pair.Text(site.Send(Pair.Request(CoapCode.Get, "big"))));
        Assert.Equal(blocks, site.Network.Seen.Count(s => s.Code == CoapCode.Get));
        Assert.Equal(0, site.Blockwise.Count);
    }

    [Theory]
    [InlineData(1024, 1)]
    [InlineData(1025, 2)]
    [InlineData(5000, 5)]
    public void A_long_request_goes_in_blocks(int length, int blocks)
    {
        string body = Body(length);
        var handler = new Answering(_ => CoapAnswers.Changed);
        var site = new Site(inner: handler);
        Assert.Equal(CoapCode.Changed, site.Send(Pair.Request(CoapCode.Put, "big", body)).Code);
        Assert.Equal(body, Pair.Text(Assert.Single(handler.Requests).Message));
        Assert.Equal(blocks, site.Network.Seen.Count(s => s.Code == CoapCode.Put));
    }

    [Fact]
    public void Both_ways_in_blocks_over_a_network_that_loses_repeats_and_reorders()
    {
        for (int seed = 0; seed < 10; seed++)
        {
            var handler = new Answering(r => Pair.Content(Pair.Text(r.Message) + "!"));
            var site = new Site(seed, new CoapTransferSettings { TimeToLive = TimeSpan.FromHours(1) }, inner: handler, transmission: new CoapTransmission { MaxRetransmit = 8 });
            (site.Network.Loss, site.Network.Repeat, site.Network.Jitter) = (0.15, 0.15, TimeSpan.FromSeconds(1));
            string body = Body(6000);
            var response = site.Send(Pair.Request(CoapCode.Post, "echo", body), 30_000);
            Assert.Equal((CoapCode.Content, body + "!"), (response.Code, Pair.Text(response)));
            Assert.Single(handler.Requests);
        }
    }

    [Fact]
    public void Blocks_are_as_small_as_the_smaller_side_wants()
    {
        string body = Body(1000);
        var handler = new Answering(r => Pair.Content(Pair.Text(r.Message)));
        var site = new Site(clientPayload: 512, serverPayload: 64, inner: handler);
        Assert.Equal(body, Pair.Text(site.Send(Pair.Request(CoapCode.Post, "echo", body))));
        Assert.Equal(body, Pair.Text(handler.Requests[0].Message));
        Assert.All(site.Network.Seen.Where(s => s.From.Port == 5683), s => Assert.InRange(s.Bytes.Length, 4, 64 + 50));
    }

    [Fact]
    public void A_body_beyond_the_limit_is_too_large_and_the_limit_is_told()
    {
        var site = new Site(transfers: new CoapTransferSettings { MaxBodyBytes = 2000 }, inner: new Answering(_ => CoapAnswers.Changed));
        var response = site.Send(Pair.Request(CoapCode.Put, "big", Body(2001)));
        Assert.Equal(CoapCode.RequestEntityTooLarge, response.Code);
        Assert.Equal(2000u, response.UInt(CoapOptionNumber.Size1));
        Assert.Equal(CoapCode.Changed, site.Send(Pair.Request(CoapCode.Put, "big", Body(2000))).Code);
    }

    [Fact]
    public void A_body_that_grows_beyond_the_limit_without_announcing_it_is_too_large()
    {
        var site = new Site(transfers: new CoapTransferSettings { MaxBodyBytes = 100 }, inner: new Answering(_ => CoapAnswers.Changed));
        for (int i = 0; i < 6; i++)
        {
            Assert.Equal(CoapCode.Continue, site.SendOne(Block(i, true, 0)).Code);
        }

        Assert.Equal(CoapCode.RequestEntityTooLarge, site.SendOne(Block(6, true, 0)).Code);
    }

    [Fact]
    public void A_response_beyond_the_clients_limit_is_given_up()
    {
        var site = new Site(maxBody: 3000, inner: new Answering(_ => Pair.Content(Body(5000))));
        Assert.Throws<CoapException>(() => site.Send(Pair.Request(CoapCode.Get, "big")));
    }

    [Fact]
    public void A_block_without_those_before_it_is_incomplete()
    {
        var site = new Site(inner: new Answering(_ => CoapAnswers.Changed));
        Assert.Equal(CoapCode.RequestEntityIncomplete, site.SendOne(Block(1, true, 0)).Code);
        Assert.Equal(CoapCode.Continue, site.SendOne(Block(0, true, 0)).Code);
        Assert.Equal(CoapCode.RequestEntityIncomplete, site.SendOne(Block(2, true, 0)).Code);
        Assert.Equal(CoapCode.Continue, site.SendOne(Block(1, true, 0)).Code);
    }

    [Fact]
    public void A_block_that_comes_again_is_acknowledged_again_and_counts_once()
    {
        var handler = new Answering(_ => CoapAnswers.Changed);
        var site = new Site(inner: handler);
        foreach (var (number, more) in new[] { (0, true), (1, true), (1, true), (0, true), (1, true), (2, false), (2, false) })
        {
            Assert.Equal(more ? CoapCode.Continue : CoapCode.Changed, site.SendOne(Block(number, more, 0)).Code);
        }

        Assert.Equal(string.Concat(Enumerable.Range(0, 3).Select(i => new string((char)('a' + i), 16))), Pair.Text(Assert.Single(handler.Requests).Message));
    }

    [Fact]
    public void A_block_of_the_wrong_size_is_refused()
    {
        var site = new Site(inner: new Answering(_ => CoapAnswers.Changed));
        var block = Pair.Request(CoapCode.Put, "big", "short").With(CoapOptionNumber.Block1, new CoapBlock(0, true, 0).Value);
        Assert.Equal(CoapCode.BadRequest, site.SendOne(block).Code);
        Assert.Equal(CoapCode.BadRequest, site.SendOne(block.With(CoapOptionNumber.Block1, new CoapBlock(0, true, 7).Value)).Code);
    }

    [Fact]
    public void Bodies_with_other_request_tags_are_other_bodies()
    {
        var handler = new Answering(_ => CoapAnswers.Changed);
        var site = new Site(inner: handler);
        byte[] one = [1];
        byte[] two = [2];
        Assert.Equal(CoapCode.Continue, site.SendOne(Block(0, true, 0).With(CoapOptionNumber.RequestTag, one)).Code);
        Assert.Equal(CoapCode.Continue, site.SendOne(Block(0, true, 0).With(CoapOptionNumber.RequestTag, two)).Code);
        Assert.Equal(CoapCode.Changed, site.SendOne(Block(1, false, 0).With(CoapOptionNumber.RequestTag, one)).Code);
        Assert.Equal(CoapCode.Changed, site.SendOne(Block(1, false, 0).With(CoapOptionNumber.RequestTag, two)).Code);
        Assert.Equal(2, handler.Requests.Count);
    }

    [Fact]
    public void What_nobody_goes_on_with_is_dropped_after_its_time()
    {
        var site = new Site(inner: new Answering(_ => CoapAnswers.Changed));
        site.SendOne(Block(0, true, 0));
        Assert.Equal(1, site.Blockwise.Count);
        site.Network.Pass(246);
        Assert.Equal(1, site.Blockwise.Count);
        site.Network.Pass(2);
        Assert.Equal(0, site.Blockwise.Count);
        Assert.Equal(CoapCode.RequestEntityIncomplete, site.SendOne(Block(1, true, 0)).Code);
    }

    [Fact]
    public void A_client_has_a_bounded_number_of_bodies_under_way()
    {
        var site = new Site(transfers: new CoapTransferSettings { MaxTransfersPerPeer = 3 }, inner: new Answering(_ => CoapAnswers.Changed));
        for (byte tag = 0; tag < 50; tag++)
        {
            Assert.Equal(CoapCode.Continue, site.SendOne(Block(0, true, 0).With(CoapOptionNumber.RequestTag, new[] { tag })).Code);
        }

        Assert.Equal(3, site.Blockwise.Count);
        Assert.Equal(CoapCode.RequestEntityIncomplete, site.SendOne(Block(1, true, 0).With(CoapOptionNumber.RequestTag, new byte[] { 0 })).Code);
        Assert.Equal(CoapCode.Continue, site.SendOne(Block(1, true, 0).With(CoapOptionNumber.RequestTag, new byte[] { 49 })).Code);
    }

    [Fact]
    public void All_blocks_are_of_one_representation_although_the_resource_changes()
    {
        int reads = 0;
        var site = new Site(inner: new Answering(_ => Pair.Content(new string((char)('a' + reads++), 3000))));
        Assert.Equal(new string('a', 3000), Pair.Text(site.Send(Pair.Request(CoapCode.Get, "big"))));
        Assert.Equal(1, reads);
    }

    [Fact]
    public void A_body_that_changed_on_its_way_is_fetched_again()
    {
        int reads = 0;
        var site = new Site(transfers: new CoapTransferSettings { MaxBytes = 0 }, inner: new Answering(_ => Pair.Content(new string(reads++ == 0 ? 'a' : 'b', 3000))));
        Assert.Equal(new string('b', 3000), Pair.Text(site.Send(Pair.Request(CoapCode.Get, "big"))));
    }

    [Fact]
    public void A_body_that_never_stands_still_is_given_up()
    {
        int reads = 0;
        var site = new Site(transfers: new CoapTransferSettings { MaxBytes = 0 }, inner: new Answering(_ => Pair.Content(new string((char)('a' + (reads++ % 26)), 3000))));
        Assert.Throws<CoapException>(() => site.Send(Pair.Request(CoapCode.Get, "big")));
        Assert.InRange(reads, 5, 20);
    }

    [Fact]
    public void A_block_behind_the_end_does_not_exist()
    {
        var site = new Site(inner: new Answering(_ => Pair.Content("short")));
        Assert.Equal(CoapCode.BadOption, site.SendOne(Pair.Request(CoapCode.Get, "x").With(CoapOptionNumber.Block2, new CoapBlock(5, false, 2).Value)).Code);
        var first = site.SendOne(Pair.Request(CoapCode.Get, "x").With(CoapOptionNumber.Block2, new CoapBlock(0, false, 2).Value));
        Assert.Equal(new CoapBlock(0, false, 2), first.Block2);
    }

    [Fact]
    public void An_Echo_is_given_back_without_the_caller_noticing()
    {
        var network = new VirtualNetwork();
        string body = Body(5000);
        var blockwise = new CoapBlockwise(new Answering(_ => Pair.Content(body)), new CoapTransferSettings(), network.Time);
        var pair = Pair.Create(blockwise, network: network);
        var client = new CoapClient(pair.Client, pair.Remote, 1 << 20, new CoapRandom(new Random(1)));
        Assert.Equal(body, Pair.Text(network.Run(client.SendAsync(Pair.Request(CoapCode.Get, "big"), CancellationToken.None))));
        Assert.Equal(1, pair.Server.Counters.Challenged);
    }

    private static string Body(int length) => string.Concat(Enumerable.Range(0, length).Select(i => (char)('a' + (i * 7 % 26))));

    private static CoapMessage Block(int number, bool more, int exponent) =>
        Pair.Request(CoapCode.Put, "big", new string((char)('a' + number), 16 << exponent)).With(CoapOptionNumber.Block1, new CoapBlock(number, more, exponent).Value);
}
