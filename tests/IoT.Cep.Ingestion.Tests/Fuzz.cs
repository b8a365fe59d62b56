using System.Buffers;
using System.Globalization;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

/// <summary>
/// Mutated payloads for a decoder: the outcome is an event or a dead letter, the same however the bytes are cut, and memory does not grow. CI tries
/// 100,000 for each format; <c>CEP_FUZZ_COUNT=10000000 dotnet test --filter Mutated</c> tries more, and <c>CEP_FUZZ_SEED</c> others.
/// </summary>
internal static class Fuzz
{
    private static readonly byte[] _interesting = [0, 1, 0x7F, 0x80, 0x81, 0xFF, 0x1F, 0x3F, 0x5F, 0x7E, 0x9F, 0xBF, 0xC0, 0xC1, 0xC4, 0xF6, 0xF9, 0xFB, (byte)'"', (byte)'\\', (byte)',', (byte)'\n', (byte)'='];

    internal static int Count => int.Parse(Environment.GetEnvironmentVariable("CEP_FUZZ_COUNT") ?? "100000", CultureInfo.InvariantCulture);

    internal static int Seed => int.Parse(Environment.GetEnvironmentVariable("CEP_FUZZ_SEED") ?? "20261123", CultureInfo.InvariantCulture);

    internal static void Run<T>(string format, Encoder<T> encoder, Decoder<T> decoder, T example)
    {
        var output = new ArrayBufferWriter<byte>();
        encoder.Encode(in example, output);
        Run(format, decoder, [output.WrittenSpan.ToArray()], p => p);
    }

    internal static void Run<T>(string format, Decoder<T> decoder, byte[][] originals, Func<Payload, Payload> beside, string topic = "test")
    {
        var random = new Random(Seed);
        using var buffer = new EventBuffer<T>(new StringPool(1024));
        long before = 0;
        int events = 0;
        for (int run = 0; run < Count; run++)
        {
            byte[] bytes = Mutate(originals[run % originals.Length], random);
            try
            {
                var whole = Decode(decoder, new ReadOnlySequence<byte>(bytes), beside, topic, buffer);
                events += whole.Count;
                if (run % 8 == 0)
                {
                    Assert.Equal(whole, Decode(decoder, Decoding.Split(bytes, random.Next(bytes.Length + 1)), beside, topic, buffer));
                }
            }
            catch (Exception failure) when (failure is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"{format}, seed {Seed}, run {run}, {Convert.ToBase64String(bytes)}: {failure}");
            }

            if (run == Count / 10)
            {
                before = GC.GetTotalMemory(forceFullCollection: true);
            }
        }

        Assert.True(events > 0, "No mutated payload gave an event, so that little was tried.");
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 32 << 20);
    }

    private static (int Count, DeadLetterReason? Reason, string Detail) Decode<T>(
        Decoder<T> decoder, ReadOnlySequence<byte> bytes, Func<Payload, Payload> beside, string topic, EventBuffer<T> buffer)
    {
        buffer.Clear();
        buffer.BeginMessage(Decoding.Received);
        decoder.Decode(beside(new Payload(bytes, topic)), buffer);
        Assert.True(buffer.Rejection is null || buffer.Count == 0);
        Assert.DoesNotContain(buffer.Rejection is null ? "" : buffer.RejectionDetail, char.IsControl);
        return (buffer.Count, buffer.Rejection, buffer.Rejection is null ? "" : buffer.RejectionDetail);
    }

    private static byte[] Mutate(byte[] original, Random random)
    {
        var bytes = new List<byte>(original);
        for (int change = random.Next(1, 4); change > 0 && bytes.Count > 0; change--)
        {
            int at = random.Next(bytes.Count);
            switch (random.Next(7))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes[at] = _interesting[random.Next(_interesting.Length)];
                    break;
                case 2:
                    bytes.Insert(at, _interesting[random.Next(_interesting.Length)]);
                    break;
                case 3:
                    bytes.RemoveAt(at);
                    break;
                case 4:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 5 when random.Next(4) == 0:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                default:
                    int length = random.Next(1, Math.Min(24, bytes.Count - at) + 1);
                    bytes.InsertRange(random.Next(bytes.Count), bytes.GetRange(at, length));
                    break;
            }
        }

        return [.. bytes];
    }
}
