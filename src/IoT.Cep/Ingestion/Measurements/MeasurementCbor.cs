using System.Buffers;
using System.Globalization;
using System.Text.Json;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Writes CBOR of any shape as JSON, so that one walk serves both.</summary>
internal static class MeasurementCbor
{
    /// <summary>Whether it is an array of maps whose labels are numbers: SenML in CBOR.</summary>
    internal static bool IsSenMl(ReadOnlySpan<byte> bytes)
    {
        var cbor = new CborScanner(bytes, 8);
        return cbor.TryUntagged(out var array, out _) && array.Major == CborMajor.Array
            && cbor.TryHead(out var map) && map.Major == CborMajor.Map
            && cbor.TryHead(out var label) && label.Major is CborMajor.Unsigned or CborMajor.Negative;
    }

    internal static byte[]? TryTranscode(ReadOnlySpan<byte> bytes, PayloadBuffer buffer, ref DecodeFault fault)
    {
        var cbor = new CborScanner(bytes, buffer.MaxDepth);
        var output = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions { SkipValidation = true, MaxDepth = 64 });
        while (cbor.Fault.Ok && !cbor.IsEnd)
        {
            Write(ref cbor, json, buffer, 0);
            json.Flush();
            json.Reset();
            output.Write("\n"u8);
        }

        fault = cbor.Fault;
        return fault.Ok ? output.WrittenSpan.ToArray() : null;
    }

    private static void Write(ref CborScanner cbor, Utf8JsonWriter json, PayloadBuffer buffer, int depth)
    {
        if (depth > buffer.MaxDepth)
        {
            cbor.Fault.Set(DeadLetterReason.TooDeep, "it is nested deeper than the limit", cbor.Position);
            return;
        }

        int start = cbor.Position;
        if (!cbor.TryUntagged(out var head, out ulong tag))
        {
            return;
        }

        switch (head.Major)
        {
            case CborMajor.Text when cbor.TryString(in head, buffer, out var text):
                json.WriteStringValue(text);
                return;
            case CborMajor.Bytes when cbor.TryString(in head, buffer, out var data):
                json.WriteBase64StringValue(data);
                return;
            case CborMajor.Text or CborMajor.Bytes:
                return;
            case CborMajor.Map:
                WriteMap(ref cbor, in head, json, buffer, depth);
                return;
            case CborMajor.Array when tag != 4:
                WriteArray(ref cbor, in head, json, buffer, depth);
                return;
            case CborMajor.Simple when head.Info is 20 or 21:
                json.WriteBooleanValue(head.Info == 21);
                return;
            case CborMajor.Simple when head.Info is 22 or 23:
                json.WriteNullValue();
                return;
            default:
                cbor.Position = start;
                if (cbor.TryNumber(out double number, ""))
                {
                    json.WriteNumberValue(number);
                }

                return;
        }
    }

    private static void WriteMap(ref CborScanner cbor, in CborHead map, Utf8JsonWriter json, PayloadBuffer buffer, int depth)
    {
        json.WriteStartObject();
        for (ulong i = 0; cbor.Fault.Ok && (map.IsIndefinite || i < map.Argument) && !EndsHere(ref cbor, in map); i++)
        {
            if (!cbor.TryUntagged(out var key, out _))
            {
                return;
            }

            switch (key.Major)
            {
                case CborMajor.Text when cbor.TryString(in key, buffer, out var name):
                    json.WritePropertyName(name);
                    break;
                case CborMajor.Unsigned:
                    json.WritePropertyName(key.Argument.ToString(CultureInfo.InvariantCulture));
                    break;
                case CborMajor.Negative:
                    json.WritePropertyName("-" + (key.Argument + 1).ToString(CultureInfo.InvariantCulture));
                    break;
                default:
                    cbor.Fault.Set(DeadLetterReason.WrongType, "a map has a key that is neither text nor a whole number", cbor.Position);
                    return;
            }

            Write(ref cbor, json, buffer, depth + 1);
        }

        json.WriteEndObject();
    }

    private static void WriteArray(ref CborScanner cbor, in CborHead array, Utf8JsonWriter json, PayloadBuffer buffer, int depth)
    {
        json.WriteStartArray();
        for (ulong i = 0; cbor.Fault.Ok && (array.IsIndefinite || i < array.Argument) && !EndsHere(ref cbor, in array); i++)
        {
            Write(ref cbor, json, buffer, depth + 1);
        }

        json.WriteEndArray();
    }

    private static bool EndsHere(ref CborScanner cbor, in CborHead container)
    {
        if (!container.IsIndefinite || cbor.Peek() != 0xFF)
        {
            return false;
        }

        cbor.Position++;
        return true;
    }
}
