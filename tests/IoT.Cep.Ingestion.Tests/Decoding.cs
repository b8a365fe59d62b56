using System.Buffers;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

/// <summary>Runs a decoder over bytes the way an engine does, and once more for each way of cutting the bytes in two.</summary>
internal static class Decoding
{
    /// <summary>When all payloads of the tests are received: 2026-01-01 UTC.</summary>
    internal static readonly long Received = Ticks.From(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));

    internal static Outcome<T> Run<T>(Decoder<T> decoder, string payload) => Run(decoder, Encoding.UTF8.GetBytes(payload));

    internal static Outcome<T> Run<T>(Decoder<T> decoder, byte[] payload)
    {
        var whole = Once(decoder, new ReadOnlySequence<byte>(payload));
        if (payload.Length < 400)
        {
            for (int cut = 1; cut < payload.Length; cut++)
            {
                var inTwo = Once(decoder, Split(payload, cut));
                Assert.Equal(whole.Reason, inTwo.Reason);
                Assert.Equal(whole.Detail, inTwo.Detail);
                Assert.Equal(whole.Events, inTwo.Events);
            }
        }

        return whole;
    }

    internal static Outcome<T> Once<T>(Decoder<T> decoder, ReadOnlySequence<byte> payload, string topic = "test")
    {
        using var buffer = new EventBuffer<T>(new StringPool(64));
        buffer.BeginMessage(Received);
        decoder.Decode(new Payload(payload, topic, Received), buffer);
        if (buffer.Rejection is not null)
        {
            Assert.Equal(0, buffer.Count);
            Assert.NotEqual("", buffer.RejectionDetail);
            Assert.DoesNotContain(buffer.RejectionDetail, char.IsControl);
        }

        return new Outcome<T>(buffer.Events.ToArray(), buffer.Rejection, buffer.Rejection is null ? "" : buffer.RejectionDetail);
    }

    /// <summary>Decodes one message with all that stands beside its body.</summary>
    internal static Outcome<T> Message<T>(Decoder<T> decoder, string body, Func<Payload, Payload> beside, string topic = "test") =>
        Message(decoder, Encoding.UTF8.GetBytes(body), beside, topic);

    internal static Outcome<T> Message<T>(Decoder<T> decoder, byte[] body, Func<Payload, Payload> beside, string topic = "test")
    {
        using var buffer = new EventBuffer<T>(new StringPool(64));
        buffer.BeginMessage(Received);
        decoder.Decode(beside(new Payload(new ReadOnlySequence<byte>(body), topic, Received)), buffer);
        return new Outcome<T>(buffer.Events.ToArray(), buffer.Rejection, buffer.Rejection is null ? "" : buffer.RejectionDetail);
    }

    internal static PayloadHeaders Headers(params (string Name, string Value)[] headers) =>
        new([.. headers.Select(h => KeyValuePair.Create(h.Name, h.Value))]);

    internal static ReadOnlySequence<byte> Split(byte[] bytes, int cut)
    {
        var first = new Segment(bytes.AsMemory(0, cut));
        var last = first.Append(bytes.AsMemory(cut));
        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    internal static long At(string iso) =>
        Ticks.From(DateTimeOffset.Parse(iso, System.Globalization.CultureInfo.InvariantCulture));

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        internal Segment(ReadOnlyMemory<byte> memory, long runningIndex = 0)
        {
            Memory = memory;
            RunningIndex = runningIndex;
        }

        internal Segment Append(ReadOnlyMemory<byte> memory)
        {
            var next = new Segment(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}

/// <summary>What came of one payload.</summary>
internal sealed record Outcome<T>(T[] Events, DeadLetterReason? Reason, string Detail)
{
    internal T Single()
    {
        Assert.Null(Reason);
        return Assert.Single(Events);
    }

    internal Outcome<T> IsRejected(DeadLetterReason reason, string? mentions = null)
    {
        Assert.Equal((DeadLetterReason?)reason, Reason);
        if (mentions is not null)
        {
            Assert.Contains(mentions, Detail, StringComparison.Ordinal);
        }

        return this;
    }
}
