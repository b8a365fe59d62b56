using System.Buffers;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

public sealed class AllocationTests
{
    [Fact]
    public void Json_allocates_nothing_once_names_were_seen() => AllocatesNothing(
        Json.Decode<Reading>(), i => $$"""{"time":"2026-01-01T00:00:00.123Z","sensor":"sensor-{{i}}","temperature":21.53,"humidity":40.1,"x":["\n"]}""");

    [Fact]
    public void Json_by_hand_allocates_nothing_once_names_were_seen() => AllocatesNothing(
        Json.Decode((ref f) => new Reading(Ticks.From(f.Time("time"u8)), f.Text("sensor"u8), f.Number("temperature"u8), f.Number("humidity"u8))),
        i => $$"""[{"time":"2026-01-01T00:00:00.123Z","sensor":"s\u00e9-{{i}}","temperature":21.53,"humidity":40.1}]""");

    [Fact]
    public void SenML_allocates_nothing_once_names_were_seen() => AllocatesNothing(
        SenMl.Decode<Reading>(),
        i => $$"""[{"bn":"sensor-{{i}}:","bt":1767225600.123,"n":"temperature","u":"Cel","v":21.53},{"n":"humidity","u":"%RH","v":40.1},{"n":"humidity","v":1,"t":1},{"n":"temperature","v":1,"t":1}]""");

    [Fact]
    public void SenML_records_allocate_nothing_once_names_were_seen() => AllocatesNothing(
        SenMl.Decode(r => new Reading(r.Ticks, r.Name, r.Value, 0)),
        i => $$"""[{"bn":"sensor-{{i}}:","bt":1767225600.123,"n":"temperature","u":"Cel","v":21.53},{"n":"humidity","u":"%RH","v":40.1}]""");

    [Fact]
    public void Csv_allocates_nothing_once_names_were_seen() => AllocatesNothing(
        Csv.Decode<Reading>(), i => $"time,sensor,temperature,humidity\n2026-01-01 00:00:00,\"sensor \"\"{i}\"\"\",21.53,40.1\n");

    [Fact]
    public void Picking_a_decoder_by_topic_allocates_nothing() => AllocatesNothing(
        Decoder.ByTopic(("x/#", SenMl.Decode<Reading>()), ("+", Json.Decode<Reading>())),
        i => $$"""{"time":1767225600123,"sensor":"sensor-{{i}}","temperature":21.53,"humidity":40.1}""");

    private static void AllocatesNothing(Decoder<Reading> decoder, Func<int, string> payload)
    {
        var payloads = Enumerable.Range(0, 100).Select(i => new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(payload(i)))).ToList();
        payloads.AddRange(Enumerable.Range(0, 100).Select(i => Decoding.Split(Encoding.UTF8.GetBytes(payload(i)), 20)));
        using var buffer = new EventBuffer<Reading>(new StringPool());
        for (int round = 0; round < 10; round++)
        {
            DecodeAll(decoder, payloads, buffer);
        }

        // What is allocated per event is so each time; what the runtime allocates while it compiles a method once more, once.
        Assert.Contains(0L, Enumerable.Range(0, 3).Select(_ =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int round = 0; round < 50; round++)
            {
                DecodeAll(decoder, payloads, buffer);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }));
    }

    private static void DecodeAll(Decoder<Reading> decoder, List<ReadOnlySequence<byte>> payloads, EventBuffer<Reading> buffer)
    {
        foreach (var payload in payloads)
        {
            buffer.Clear();
            buffer.BeginMessage(Decoding.Received);
            decoder.Decode(new Payload(payload, "t"), buffer);
            if (buffer.Rejection is not null || buffer.Count == 0)
            {
                Assert.Fail(buffer.RejectionDetail);
            }
        }
    }
}
