using System.IO.Pipelines;
using System.Text;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep.Ingestion.Tests;

public sealed class LineFramingTests
{
    [Theory]
    [InlineData("a\nbc\n", "a", "bc")]
    [InlineData("a\r\nbc\r\n", "a", "bc")]
    [InlineData("a\nbc", "a", "bc")]
    [InlineData("a\nbc\r", "a", "bc")]
    [InlineData("\n\r\na\n\n", "a")]
    [InlineData("a\rb\r\r\n", "a\rb\r")]
    [InlineData("", new string[0])]
    public async Task Lines_are_cut_the_same_wherever_the_bytes_are(string text, params string[] lines)
    {
        for (int chunk = 1; chunk <= Math.Max(1, text.Length); chunk++)
        {
            Assert.Equal(lines, (await ReadAsync(text, chunk, LineOptions.Default)).Received);
        }
    }

    [Theory]
    [InlineData("abcd\nabcde\nabc\n", "abcd", "abc")]
    [InlineData("abcd\r\nabcde\r\nabc", "abcd", "abc")]
    [InlineData("abcdefghijklmnopqrstuvwxyz\nabc\n", "abc")]
    [InlineData("abc\nabcdefghijklmnopqrstuvwxyz", "abc")]
    [InlineData("abc\nabcdefghijklmnopqrstuvwxyz\n", "abc")]
    public async Task A_line_that_is_too_long_is_a_dead_letter_and_reading_goes_on_behind_it(string text, params string[] lines)
    {
        for (int chunk = 1; chunk <= text.Length; chunk++)
        {
            var received = await ReadAsync(text, chunk, new LineOptions(MaxLineBytes: 4));
            Assert.Equal(lines, received.Received);
            Assert.Equal([DeadLetterReason.TooLarge], received.Rejected);
        }
    }

    [Fact]
    public async Task Lines_at_the_start_can_be_passed_over()
    {
        Assert.Equal(["c"], (await ReadAsync("a\nb\nc", 1, new LineOptions(SkipLines: 2))).Received);
        Assert.Equal(["c"], (await ReadAsync("aaaaaaaaa\nb\nc", 1, new LineOptions(MaxLineBytes: 3, SkipLines: 2))).Received);
        Assert.Empty((await ReadAsync("a", 1, new LineOptions(SkipLines: 2))).Received);
    }

    [Fact]
    public async Task An_endless_line_does_not_fill_memory()
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 64 * 1024, resumeWriterThreshold: 32 * 1024));
        var receiver = new Recorder();
        var reading = LineFraming.ReadAsync(pipe.Reader, receiver, "test", new LineOptions(MaxLineBytes: 100_000));
        byte[] block = Encoding.ASCII.GetBytes(new string('x', 8192));
        for (int i = 0; i < 1000; i++)
        {
            await pipe.Writer.WriteAsync(block);
        }

        await pipe.Writer.WriteAsync("\nok\n"u8.ToArray());
        await pipe.Writer.CompleteAsync();
        await reading;
        Assert.Equal(["ok"], receiver.Received);
        Assert.Equal([DeadLetterReason.TooLarge], receiver.Rejected);
        Assert.InRange(receiver.LongestRejected, 100_000, 200_000);
    }

    [Fact]
    public async Task A_transport_reads_its_input_once()
    {
        var transport = new LineTransport("lines", _ => new ValueTask<Stream>(new MemoryStream("a\nb"u8.ToArray())));
        var receiver = new Recorder();
        await transport.RunAsync(receiver, Context(new FakeTimeProvider()), CancellationToken.None);
        Assert.Equal(["a", "b"], receiver.Received);
        Assert.Equal([true, false], receiver.Connections);
    }

    [Fact]
    public async Task A_transport_that_reconnects_waits_longer_while_connecting_fails()
    {
        var time = new FakeTimeProvider();
        using var stop = new CancellationTokenSource();
        var receiver = new Recorder();
        var attempts = new List<TimeSpan>();
        var start = time.GetUtcNow();
        var transport = new LineTransport("lines", Connect, new LineOptions(ReconnectDelay: TimeSpan.FromSeconds(10)));
        var running = transport.RunAsync(receiver, Context(time), stop.Token);
        while (!running.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        await running;
        Assert.Equal(["a", "a"], receiver.Received);

        // Half of each pause is random; time goes on by whole seconds.
        double[] longest = [10, 10, 20, 30, 10];
        Assert.All(attempts.Zip(attempts.Skip(1)).Zip(longest), one => Assert.InRange((one.First.Second - one.First.First).TotalSeconds, one.Second / 2, one.Second + 1));
        Assert.Equal(longest.Length + 1, attempts.Count);

        ValueTask<Stream> Connect(CancellationToken token)
        {
            attempts.Add(time.GetUtcNow() - start);
            if (attempts.Count == 6)
            {
                stop.Cancel();
                token.ThrowIfCancellationRequested();
            }

            return attempts.Count is 1 or 5 ? new ValueTask<Stream>(new MemoryStream("a\n"u8.ToArray())) : throw new IOException("no route");
        }
    }

    [Fact]
    public async Task Without_reconnecting_a_failure_is_thrown_on()
    {
        var transport = new LineTransport("lines", ValueTask<Stream> (_) => throw new IOException("gone"));
        await Assert.ThrowsAsync<IOException>(() => transport.RunAsync(new Recorder(), Context(new FakeTimeProvider()), CancellationToken.None));
    }

    private static ConnectionContext Context(TimeProvider time) => new(time, new Connections(), NullLogger.Instance);

    private static async Task<Recorder> ReadAsync(string text, int chunk, LineOptions options)
    {
        var pipe = new Pipe();
        var receiver = new Recorder();
        var reading = LineFraming.ReadAsync(pipe.Reader, receiver, "test", options);
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        for (int at = 0; at < bytes.Length; at += chunk)
        {
            await pipe.Writer.WriteAsync(bytes.AsMemory(at, Math.Min(chunk, bytes.Length - at)));
        }

        await pipe.Writer.CompleteAsync();
        await reading;
        return receiver;
    }
}

/// <summary>Keeps what a transport hands over.</summary>
internal sealed class Recorder : IPayloadReceiver
{
    internal List<string> Received { get; } = [];

    internal List<DeadLetterReason> Rejected { get; } = [];

    internal List<bool> Connections { get; } = [];

    internal long LongestRejected { get; private set; }

    public ValueTask ReceiveAsync(in Payload payload, IAcknowledger? acknowledger = null, object? delivery = null)
    {
        Received.Add(Encoding.UTF8.GetString(payload.Bytes));
        return ValueTask.CompletedTask;
    }

    public void Reject(in Payload payload, DeadLetterReason reason, string detail)
    {
        Rejected.Add(reason);
        LongestRejected = Math.Max(LongestRejected, payload.Bytes.Length);
    }

    public void CountDuplicate() => throw new NotSupportedException();

    public void ConnectionChanged(bool connected, string? detail = null) => Connections.Add(connected);
}
