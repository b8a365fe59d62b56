using System.Buffers;
using System.Buffers.Text;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Takes envelopes of CloudEvents off payloads, in either mode.</summary>
internal sealed class CloudEventDecoder<T>(Decoder<T> inner, PayloadLimits limits) : Decoder<T>
{
    private readonly PayloadBuffer _buffer = new(limits);
    private readonly JsonMembers _members = new();
    private readonly CloudEventHeaders _headers = new();

    // Data that stands in base64 or as text, without its escapes.
    private byte[] _data = [];

    private enum Part
    {
        None,
        Json,
        Text,
        Base64,
    }

    public override void Decode(in Payload payload, EventBuffer<T> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        bool isStructured = payload.ContentType is { } type && type.StartsWith("application/cloudevents", StringComparison.OrdinalIgnoreCase);
        if (!isStructured && CloudEventNames.PrefixOf(payload.Headers) is { } prefix)
        {
            DecodeBinary(in payload, prefix, output);
            return;
        }

        // MQTT 3.1.1 and files name no media type; an envelope says by itself that it is one.
        if (!isStructured && payload.ContentType is not null)
        {
            output.Reject(DeadLetterReason.UnknownTopic, $"Neither the media type nor a header says that this is a CloudEvent: '{SafeText.Escape(payload.ContentType, 64)}'.");
            return;
        }

        if (!_buffer.TryJoin(in payload, output, out var bytes))
        {
            return;
        }

        var json = new JsonScanner(bytes, _buffer.MaxDepth);
        if (json.Peek() == '[')
        {
            DecodeBatch(ref json, in payload, output);
        }
        else
        {
            DecodeOne(ref json, in payload, output);
        }

        if (output.Rejection is null && (!json.Fault.Ok || !json.TryEnd()))
        {
            json.Fault.Reject(output);
        }
    }

    private void DecodeBatch(ref JsonScanner json, in Payload payload, EventBuffer<T> output)
    {
        json.Take();
        json.Depth++;
        bool isFirst = true;
        int count = 0;
        while (json.MoveNext((byte)']', ref isFirst) && output.Rejection is null)
        {
            if (count++ == limits.MaxEvents)
            {
                json.Fault.Set(DeadLetterReason.TooLarge, "the payload holds more events than the limit", json.Position);
                return;
            }

            if (!DecodeOne(ref json, in payload, output))
            {
                return;
            }
        }
    }

    private void DecodeBinary(in Payload payload, string prefix, EventBuffer<T> output)
    {
        string version = payload.Headers.Find(prefix + "specversion")!;
        foreach (string name in (ReadOnlySpan<string>)["id", "source", "type"])
        {
            if (string.IsNullOrEmpty(payload.Headers.Find(prefix + name)))
            {
                output.Reject(DeadLetterReason.MissingField, $"{name}: a CloudEvent needs it.");
                return;
            }
        }

        if (version != "1.0")
        {
            output.Reject(DeadLetterReason.UnknownTopic, $"CloudEvents of version '{SafeText.Escape(version, 16)}' are not read.");
            return;
        }

        long sent = payload.SentTicks;
        if (payload.Headers.Find(prefix + "time") is { } time)
        {
            Span<byte> text = stackalloc byte[64];
            bool isTime = time.Length <= text.Length && Ascii.FromUtf16(time, text, out int length) == OperationStatus.Done
                && Utf8Times.Parse(text[..length], out sent) == TimeResult.Ok;
            if (!isTime)
            {
                output.Reject(DeadLetterReason.WrongType, "time: the value is not a time.");
                return;
            }
        }

        _headers.Begin(payload.Headers, prefix);
        inner.Decode(payload with { SentTicks = sent, Headers = new PayloadHeaders(_headers) }, output);
    }

    private bool DecodeOne(ref JsonScanner json, in Payload payload, EventBuffer<T> output)
    {
        if (!_members.TryRead(ref json))
        {
            return false;
        }

        _headers.Begin(payload.Headers, null);
        var part = Part.None;
        int data = 0, dataEnd = 0;
        uint seen = 0;
        for (int i = 0; i < _members.Count; i++)
        {
            if (!JsonValues.TryUnescape(ref json, _members[i].Name, _buffer, null, out var name) || !TryReadMember(ref json, name, _members[i].Value, ref part, ref data, ref dataEnd, ref seen))
            {
                return false;
            }
        }

        json.Position = _members.End;
        return Check(ref json, seen) && Hand(ref json, in payload, part, data, dataEnd, output);
    }

    private bool TryReadMember(ref JsonScanner json, ReadOnlySpan<byte> name, int value, ref Part part, ref int data, ref int dataEnd, ref uint seen)
    {
        json.Position = value;
        int first = json.Peek();
        bool isData = name.SequenceEqual("data"u8), isBase64 = name.SequenceEqual("data_base64"u8);
        if (first == 'n' && !isData)
        {
            // A null is an attribute that isn't there.
            return true;
        }

        if (isData || isBase64)
        {
            if (part != Part.None)
            {
                json.Fault.Set(DeadLetterReason.DuplicateField, "the data stands twice", value, "data");
                return false;
            }

            data = json.Position;
            if (isBase64 && first != '"')
            {
                json.Fault.Set(DeadLetterReason.WrongType, "the value is not text", value, "data_base64");
                return false;
            }

            part = isBase64 ? Part.Base64 : first == '"' ? Part.Text : Part.Json;
            bool isSkipped = json.TrySkipValue();
            dataEnd = json.Position;
            return isSkipped;
        }

        return TryReadAttribute(ref json, name, first, ref seen);
    }

    private bool TryReadAttribute(ref JsonScanner json, ReadOnlySpan<byte> name, int first, ref uint seen)
    {
        uint bit = name switch
        {
            _ when name.SequenceEqual("specversion"u8) => 1,
            _ when name.SequenceEqual("id"u8) => 2,
            _ when name.SequenceEqual("source"u8) => 4,
            _ when name.SequenceEqual("type"u8) => 8,
            _ when name.SequenceEqual("time"u8) => 16,
            _ when name.SequenceEqual("datacontenttype"u8) => 32,
            _ => 0,
        };
        int start = json.Position;
        if (first is '{' or '[' || (bit != 0 && first != '"'))
        {
            json.Fault.Set(DeadLetterReason.WrongType, "the value of an attribute is not text", start, SafeText.Escape(name, 32));
            return false;
        }

        if ((seen & bit) != 0)
        {
            json.Fault.Set(DeadLetterReason.DuplicateField, DecodeFault.What(DeadLetterReason.DuplicateField), start, SafeText.Escape(name, 32));
            return false;
        }

        int nameAt = _headers.Store(name);
        ReadOnlySpan<byte> value;
        if (first == '"')
        {
            if (!json.TryString(out var text) || !JsonValues.TryBytes(ref json, text, _buffer, null, out value))
            {
                return false;
            }
        }
        else
        {
            if (!json.TrySkipValue())
            {
                return false;
            }

            value = json.Slice(new JsonText(start, json.Position - start, false));
        }

        // An empty one of these is as good as none.
        seen |= value.IsEmpty ? 0 : bit;
        _headers.Add(nameAt, name.Length, value);
        return true;
    }

    private bool Check(ref JsonScanner json, uint seen)
    {
        for (int i = 0; i < 4; i++)
        {
            if ((seen & (1u << i)) == 0)
            {
                json.Fault.Set(DeadLetterReason.MissingField, "a CloudEvent needs it", -1, i switch { 0 => "specversion", 1 => "id", 2 => "source", _ => "type" });
                return false;
            }
        }

        if (!_headers.Value("specversion"u8).SequenceEqual("1.0"u8))
        {
            json.Fault.Set(DeadLetterReason.UnknownTopic, "the version is not 1.0", -1, "specversion");
        }

        return json.Fault.Ok;
    }

    private bool Hand(ref JsonScanner json, in Payload payload, Part part, int data, int dataEnd, EventBuffer<T> output)
    {
        long sent = payload.SentTicks;
        if (_headers.Value("time"u8) is { IsEmpty: false } time && Utf8Times.Parse(time, out sent) != TimeResult.Ok)
        {
            json.Fault.Set(DeadLetterReason.WrongType, "the value is not a time", -1, "time");
            return false;
        }

        var given = _headers.Value("datacontenttype"u8);
        string contentType = given.IsEmpty ? "application/json" : output.Strings.Get(given);
        var bytes = payload.Bytes.Slice(data, dataEnd - data);
        if (part == Part.None)
        {
            bytes = ReadOnlySequence<byte>.Empty;
        }
        else if (part == Part.Base64 || (part == Part.Text && !CloudEventNames.IsJson(contentType)))
        {
            if (!TryUnescape(ref json, part, data, out int length))
            {
                return false;
            }

            bytes = new ReadOnlySequence<byte>(_data, 0, length);
        }

        _headers.Strings = output.Strings;
        inner.Decode(new Payload(bytes, payload.Topic, payload.ReceivedTicks)
        {
            SentTicks = sent,
            ContentType = contentType,
            Template = payload.Template,
            Sender = payload.Sender,
            Headers = new PayloadHeaders(_headers),
        }, output);
        return output.Rejection is null;
    }

    private bool TryUnescape(ref JsonScanner json, Part part, int data, out int length)
    {
        length = 0;
        int end = json.Position;
        json.Position = data;
        if (!json.TryString(out var text) || !JsonValues.TryUnescape(ref json, text, _buffer, "data", out var utf8))
        {
            return false;
        }

        json.Position = end;
        if (_data.Length < utf8.Length)
        {
            _data = new byte[System.Numerics.BitOperations.RoundUpToPowerOf2((uint)utf8.Length)];
        }

        if (part == Part.Text)
        {
            utf8.CopyTo(_data);
            length = utf8.Length;
            return true;
        }

        if (Base64.DecodeFromUtf8(utf8, _data, out _, out length) != OperationStatus.Done)
        {
            json.Fault.Set(DeadLetterReason.Malformed, "the value is not base64", data, "data_base64");
        }

        return json.Fault.Ok;
    }
}
