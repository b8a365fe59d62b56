using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

public sealed class FramesTests
{
    public static TheoryData<FramePrefix> Prefixes => [.. Enum.GetValues<FramePrefix>()];

    [Theory]
    [MemberData(nameof(Prefixes))]
    [Trait("Requirement", "R64")]
    public async Task Frames_of_any_length_come_through_wherever_the_stream_is_cut(FramePrefix prefix)
    {
        var framing = StreamFraming.Frames(prefix);
        int[] lengths = [0, 1, 2, 127, 128, 255, .. prefix == FramePrefix.OneByte ? Array.Empty<int>() : [256, 16_383, 16_384, 65_535], .. prefix.MaxLength() > 65_535 ? [65_536, 200_000] : Array.Empty<int>()];
        var output = new ArrayBufferWriter<byte>();
        foreach (int length in lengths)
        {
            Assert.Null(framing.Write(BytesOf(length), output));
        }

        foreach (int piece in new[] { 1, 2, 3, 1000, output.WrittenCount })
        {
            var gathered = new Gatherer();
            var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
            var reading = framing.ReadAsync(pipe.Reader, gathered, "t", 1 << 20, CancellationToken.None);
            for (int at = 0; at < output.WrittenCount; at += piece)
            {
                await pipe.Writer.WriteAsync(output.WrittenMemory[at..Math.Min(output.WrittenCount, at + piece)]);
            }

            await pipe.Writer.CompleteAsync();
            await reading;
            Assert.Equal(lengths, gathered.Messages.Select(m => m.Length));
            Assert.All(gathered.Messages, m => Assert.Equal(BytesOf(m.Length), m));
            Assert.Empty(gathered.Rejected);
        }
    }

    [Theory]
    [InlineData(FramePrefix.OneByte, "05 61 62", DeadLetterReason.Malformed)]
    [InlineData(FramePrefix.FourBytesBigEndian, "00 10 00 01", DeadLetterReason.TooLarge)]
    [InlineData(FramePrefix.FourBytesBigEndian, "FF FF FF FF", DeadLetterReason.TooLarge)]
    [InlineData(FramePrefix.VarInt, "80 80 80 80 80", DeadLetterReason.TooLarge)]
    [InlineData(FramePrefix.VarInt, "FF FF FF FF 7F", DeadLetterReason.TooLarge)]
    [InlineData(FramePrefix.TwoBytesLittleEndian, "01", DeadLetterReason.Malformed)]
    public async Task A_frame_that_is_cut_off_or_too_long_is_a_dead_letter(FramePrefix prefix, string hex, DeadLetterReason reason)
    {
        var gathered = new Gatherer();
        var reader = PipeReader.Create(new ReadOnlySequence<byte>(Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal))));
        await Record.ExceptionAsync(() => StreamFraming.Frames(prefix).ReadAsync(reader, gathered, "t", 1 << 20, CancellationToken.None));
        Assert.Equal([reason], gathered.Rejected);
        Assert.Empty(gathered.Messages);
    }

    [Fact]
    public void A_message_that_its_prefix_cannot_announce_is_not_sent() =>
        Assert.Contains("65,535", StreamFraming.Frames(FramePrefix.TwoBytesBigEndian).Write(new byte[65_536], new ArrayBufferWriter<byte>()), StringComparison.Ordinal);

    [Fact]
    public async Task Whoever_sends_nothing_is_disconnected_and_one_connection_too_many_as_well()
    {
        var listening = new TaskCompletionSource<IPEndPoint>();
        await using var engine = new CepEngine();
        engine.From(Tcp.Lines(0, IoT.Cep.Message.Decode(), new TcpListenOptions { MaxConnections = 1, IdleTimeout = TimeSpan.FromMilliseconds(200), Listening = listening.SetResult }))
            .To(new Observed<Message>());
        await engine.StartAsync();
        var port = await listening.Task.WaitAsync(Collector.Patience);
        using var first = new TcpClient();
        await first.ConnectAsync(port);
        using var second = new TcpClient();
        await second.ConnectAsync(port);

        await EndsAsync(second);
        await EndsAsync(first);
    }

    [Fact]
    public async Task An_address_that_others_reach_is_refused()
    {
        var transport = new TcpListenTransport(StreamFraming.Lines, 0, new TcpListenOptions { Address = IPAddress.Any });
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => transport.RunAsync(new Gatherer(), RunningTransport.Context(new Connections()), CancellationToken.None));
        Assert.Contains("can be reached by others", error.Message, StringComparison.Ordinal);
        var datagrams = Udp.Transport(0, new UdpListenOptions { Address = IPAddress.Any });
        await Assert.ThrowsAsync<InvalidOperationException>(() => datagrams.RunAsync(new Gatherer(), RunningTransport.Context(new Connections()), CancellationToken.None));
    }

    private static async Task EndsAsync(TcpClient client)
    {
        try
        {
            Assert.Equal(0, await client.GetStream().ReadAsync(new byte[1]).AsTask().WaitAsync(Collector.Patience));
        }
        catch (IOException)
        {
            // Closed before it was read from: a reset says the same.
        }
    }

    private static byte[] BytesOf(int length) => [.. Enumerable.Range(0, length).Select(i => (byte)(i + length))];
}

/// <summary>Keeps what it is given.</summary>
internal sealed class Gatherer : IPayloadReceiver
{
    internal List<byte[]> Messages { get; } = [];

    internal IEnumerable<string> Texts => Messages.Select(Encoding.UTF8.GetString);

    internal List<DeadLetterReason> Rejected { get; } = [];

    public ValueTask ReceiveAsync(in Payload payload, IAcknowledger? acknowledger = null, object? delivery = null)
    {
        Messages.Add(payload.Bytes.ToArray());
        return ValueTask.CompletedTask;
    }

    public void Reject(in Payload payload, DeadLetterReason reason, string detail) => Rejected.Add(reason);

    public void CountDuplicate()
    {
    }

    public void ConnectionChanged(bool connected, string? detail = null)
    {
    }
}
