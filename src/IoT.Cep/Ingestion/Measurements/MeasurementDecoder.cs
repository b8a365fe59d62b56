using System.Text.Unicode;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Finds out a payload's format and reads its values.</summary>
internal sealed class MeasurementDecoder : Decoder<Measurement>
{
    private readonly MeasurementFormat _format;
    private readonly PayloadBuffer _buffer;
    private readonly Decoder<Measurement> _senMl;
    private readonly Decoder<Measurement> _senMlCbor;
    private string _topic = "";

    internal MeasurementDecoder(MeasurementFormat format, PayloadLimits limits)
    {
        _format = format;
        _buffer = new PayloadBuffer(limits);
        _senMl = SenMl.Decode(Read, SenMlMode.Lenient, limits);
        _senMlCbor = SenMl.DecodeCbor(Read, limits);
    }

    public override void Decode(in Payload payload, EventBuffer<Measurement> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        if (!_buffer.TryJoin(in payload, output, out var bytes))
        {
            return;
        }

        _topic = payload.Topic;
        bytes = bytes.StartsWith("\uFEFF"u8) ? bytes[3..] : bytes;
        var target = new MeasurementTarget(output, _buffer, payload.Topic);
        var fault = default(DecodeFault);
        var format = _format == MeasurementFormat.Auto ? Recognize(payload.ContentType, bytes) : _format;
        switch (format)
        {
            case MeasurementFormat.Value when IsForm(payload.ContentType, bytes) && Utf8.IsValid(bytes):
                MeasurementText.ReadForm(bytes, target, ref fault);
                break;
            case MeasurementFormat.SenMl when IsCbor(bytes):
                _senMlCbor.Decode(in payload, output);
                return;
            case MeasurementFormat.SenMl:
                _senMl.Decode(in payload, output);
                return;
            case MeasurementFormat.Json:
                new MeasurementJson(bytes, target).Read(ref fault);
                break;
            case MeasurementFormat.Cbor when MeasurementCbor.TryTranscode(bytes, _buffer, ref fault) is { } json:
                new MeasurementJson(json, target).Read(ref fault);
                break;
            case MeasurementFormat.Cbor:
                break;
            default:
                ReadText(format, bytes, target, ref fault);
                break;
        }

        if (!fault.Ok)
        {
            fault.Reject(output);
        }
    }

    private static void ReadText(MeasurementFormat format, ReadOnlySpan<byte> bytes, MeasurementTarget target, ref DecodeFault fault)
    {
        if (!Utf8.IsValid(bytes))
        {
            fault.Set(DeadLetterReason.Malformed, "it is neither text in UTF-8 nor a format that is known", -1);
        }
        else if (format == MeasurementFormat.Csv)
        {
            MeasurementText.ReadCsv(bytes, target, ref fault);
        }
        else if (format == MeasurementFormat.Line)
        {
            MeasurementText.ReadLines(bytes, target, ref fault);
        }
        else
        {
            MeasurementText.ReadValue(bytes, target, ref fault);
        }
    }

    private static ReadOnlySpan<char> TypeOf(string? contentType)
    {
        var type = contentType.AsSpan();
        return (type.Contains(';') ? type[..type.IndexOf(';')] : type).Trim();
    }

    // What HTTP makes of a request without a body, for one. Command-line clients say so of whatever they post, so the bytes have to look like it as well.
    private static bool IsForm(string? contentType, ReadOnlySpan<byte> bytes) =>
        TypeOf(contentType).Equals("application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase)
        && bytes.Contains((byte)'=') && bytes[0] is not ((byte)'{' or (byte)'[') && !bytes.ContainsAny(" \t\r\n"u8);

    private static MeasurementFormat Recognize(string? contentType, ReadOnlySpan<byte> bytes)
    {
        var type = TypeOf(contentType);
        if (IsForm(contentType, bytes))
        {
            return MeasurementFormat.Value;
        }

        if (type.StartsWith("application/senml", StringComparison.OrdinalIgnoreCase) || type.StartsWith("application/sensml", StringComparison.OrdinalIgnoreCase))
        {
            return MeasurementFormat.SenMl;
        }

        if (type.Equals("text/csv", StringComparison.OrdinalIgnoreCase))
        {
            return MeasurementFormat.Csv;
        }

        if (IsCbor(bytes))
        {
            return MeasurementCbor.IsSenMl(bytes) ? MeasurementFormat.SenMl : MeasurementFormat.Cbor;
        }

        var text = bytes.Trim(" \t\r\n"u8);
        if (text.Length > 0 && text[0] is (byte)'{' or (byte)'[')
        {
            return MeasurementJson.IsSenMl(text) ? MeasurementFormat.SenMl : MeasurementFormat.Json;
        }

        return MeasurementText.IsLine(text) ? MeasurementFormat.Line : MeasurementText.IsCsv(text) ? MeasurementFormat.Csv : MeasurementFormat.Value;
    }

    // Arrays and maps begin with bytes that no text in UTF-8 begins with; so does the tag that says that it is CBOR.
    private static bool IsCbor(ReadOnlySpan<byte> bytes) => bytes.Length > 0 && (bytes[0] is >= 0x80 and <= 0xBF || bytes.StartsWith((ReadOnlySpan<byte>)[0xD9, 0xD9, 0xF7]));

    private Measurement Read(SenMlRecord record)
    {
        // The base name is the sensor's by custom, and ends in a separator; the RFC only joins the two.
        int end = record.Name.AsSpan().LastIndexOfAny('/', ':');
        bool isSplit = end > 0 && end < record.Name.Length - 1;
        string sensor = isSplit ? record.Name[..end] : record.Name.Length > 0 && end == record.Name.Length - 1 ? record.Name[..end] : _topic;
        string name = isSplit ? record.Name[(end + 1)..] : end == record.Name.Length - 1 ? "value" : record.Name;
        return new Measurement(
            record.Time, sensor, name, record.Kind == SenMlValueKind.Number ? record.Value : record.Kind == SenMlValueKind.None ? record.Sum : null,
            record.Kind is SenMlValueKind.Text or SenMlValueKind.Data ? record.Text : null, record.Kind == SenMlValueKind.Boolean ? record.Boolean : null,
            record.Unit.Length == 0 ? null : record.Unit, _topic);
    }
}

/// <summary>Where values go, and what holds for them where the payload does not say otherwise.</summary>
internal sealed class MeasurementTarget(EventBuffer<Measurement> output, PayloadBuffer buffer, string topic)
{
    internal PayloadBuffer Buffer => buffer;

    internal MeasurementScope Scope => new(topic, Ticks.ToTime(output.ReceivedTicks));

    internal string Pooled(ReadOnlySpan<byte> utf8) => output.Strings.Get(utf8);

    internal void Add(in MeasurementScope scope, string name, double? number, string? text, bool? boolean, string? unit, ref DecodeFault fault)
    {
        if (output.MessageCount >= buffer.Limits.MaxEvents)
        {
            fault.Set(DeadLetterReason.TooLarge, "the payload holds more values than the limit", -1);
            return;
        }

        output.Add(new Measurement(scope.Time, scope.Sensor, name.Length == 0 ? "value" : name, number, text, boolean, unit, topic));
    }
}

/// <summary>The sensor and time that hold for the values of an object, a row or a line.</summary>
internal readonly record struct MeasurementScope(string Sensor, DateTimeOffset Time);

/// <summary>Names by which payloads call the same things.</summary>
internal static class MeasurementNames
{
    // In March 1973 no sensor sent what is read here.
    private const double FirstPlausibleSeconds = 100_000_000;

    private static readonly HashSet<string> _times = ["time", "timestamp", "ts", "t", "datetime", "date", "at", "createdat", "measuredat", "eventtime", "bt"];
    private static readonly HashSet<string> _sensors = ["sensor", "sensorid", "device", "deviceid", "dev", "devid", "id", "node", "nodeid", "station", "source", "deveui", "mac", "serial"];
    private static readonly HashSet<string> _names = ["name", "metric", "measurement", "parameter", "property", "n"];
    private static readonly HashSet<string> _values = ["value", "val", "v"];
    private static readonly HashSet<string> _units = ["unit", "units", "u"];

    internal static bool IsTime(string name) => _times.Contains(Plain(name));

    /// <summary>Whether a value of such a name is a time; a small number is none, but a temperature named "t".</summary>
    internal static bool TryTime(ReadOnlySpan<byte> text, out long ticks)
    {
        ticks = 0;
        bool isPlausible = !Utf8Numbers.TryParse(text, out double number) || number >= FirstPlausibleSeconds;
        return isPlausible && Utf8Times.ParseAny(text, out ticks) == TimeResult.Ok;
    }

    internal static bool IsSensor(string name) => _sensors.Contains(Plain(name));

    internal static bool IsName(string name) => _names.Contains(Plain(name));

    internal static bool IsValue(string name) => _values.Contains(Plain(name));

    internal static bool IsUnit(string name) => _units.Contains(Plain(name));

    private static string Plain(string name) => name.Length > 16 ? name : string.Create(name.Length, name, static (plain, from) => from.AsSpan().ToLowerInvariant(plain))
        .Replace("_", "", StringComparison.Ordinal).Replace("-", "", StringComparison.Ordinal);
}
