using System.Buffers;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

/// <summary>An event with a member of every kind, as every format must carry it.</summary>
[Event]
public readonly partial record struct Rich(
    [EventTime, Field(Number = 1)] DateTimeOffset Time,
    [EventKey, Field(Number = 2)] string Sensor,
    [Field("temperature", Number = 3)] double Celsius,
    [Field(Number = 4, Form = WholeNumberForm.ZigZag)] int Count,
    [Field(Number = 5)] long Total,
    [Field(Number = 6)] bool Ok,
    [Field(Number = 7)] Level Level,
    [Field(Number = 8)] string Note,
    [Field(Number = 9)] float Small,
    [Field(Number = 10)] double? Maybe,
    [Field(Number = 11, Form = WholeNumberForm.Fixed)] ulong? Serial,
    [Field(Number = 12)] DateTimeOffset? Since,
    [Field(Number = 13)] bool? Flag,
    [Field(Number = 14, Form = WholeNumberForm.Fixed)] long Balance);

public enum Level
{
    None = 0,
    Low = 1,
    High = 7,
    Below = -3,
}

/// <summary>Makes such events of what FsCheck makes up, and takes them through a format and back.</summary>
internal static class RichEvents
{
    private static readonly long _first = Decoding.At("1980-01-01Z");
    private static readonly long _last = Decoding.At("2262-01-01Z");

    internal static Rich Make(long time, string? sensor, double number, int count, long total, bool ok, int level, string? note, float small, double? maybe, long? serial, long? since, bool? flag) => new(
        Time(time), Key(sensor), Finite(number), count, total, ok, (Level)(level & 3) switch { (Level)0 => Level.None, (Level)1 => Level.Low, (Level)2 => Level.High, _ => Level.Below },
        Text(note), float.IsFinite(small) ? small : 0, maybe is { } m ? Finite(m) : null, serial is { } s ? (ulong)(s & long.MaxValue) : null, since is { } t ? Time(t) : null, flag, total ^ count);

    internal static Outcome<Rich> Trip(Encoder<Rich> encoder, Decoder<Rich> decoder, Rich value)
    {
        var output = new ArrayBufferWriter<byte>();
        encoder.Encode(in value, output);
        return Decoding.Once(decoder, new ReadOnlySequence<byte>(output.WrittenMemory));
    }

    internal static string Encode<T>(Encoder<T> encoder, T value)
    {
        var output = new ArrayBufferWriter<byte>();
        encoder.Encode(in value, output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    private static DateTimeOffset Time(long ticks) => Ticks.ToTime(_first + (long)((ulong)ticks % (ulong)(_last - _first)));

    private static double Finite(double value) => double.IsFinite(value) ? value : 0;

    // A SenML name, which is a name in every other format too.
    private static string Key(string? text) => "k" + string.Concat((text ?? "").Where(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_' or ':' or '/').Take(100));

    private static string Text(string? text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text is { Length: > 1000 } ? text[..1000] : text ?? ""));
}
