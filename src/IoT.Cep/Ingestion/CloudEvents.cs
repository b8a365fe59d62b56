using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>CloudEvents 1.0 around another format: what the envelope says is beside the body, and the data goes to the inner decoder.</summary>
/// <remarks>
/// In the structured mode (<c>application/cloudevents+json</c>, and its batch) the payload is the envelope in JSON. In the binary mode the envelope is in the headers: <c>ce-id</c>
/// over HTTP, <c>cloudEvents:id</c> over AMQP, <c>id</c> over MQTT 5. Either way its attributes are headers <c>ce-...</c> to the event (<c>[Header("ce-source")]</c>), its <c>time</c> is the sent time, and its
/// <c>datacontenttype</c> is the media type that <see cref="Decoder.ByContentType{T}"/> picks by. An envelope without <c>id</c>, <c>source</c> or <c>type</c>, or of another version, is a dead letter.
/// </remarks>
public static class CloudEvents
{
    /// <summary>Takes the envelope off and gives the data to another decoder.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="inner">Decodes the data.</param>
    /// <param name="limits">How much one payload may hold; <see cref="PayloadLimits.Default"/> where null.</param>
    public static Decoder<T> Decode<T>(Decoder<T> inner, PayloadLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(inner);
        return new CloudEventDecoder<T>(inner, PayloadLimits.Check(limits ?? PayloadLimits.Default));
    }

    /// <summary>Puts what another encoder writes into an envelope, in the structured mode: as JSON where it is JSON, and else in base64.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="inner">Writes the data.</param>
    /// <param name="source">Where events come from, a URI reference: <c>/plant/7</c>.</param>
    /// <param name="type">What kind of event it is: <c>com.example.overheated</c>.</param>
    /// <param name="id">Gives an event's identity: with the source unique, and the same where the event is sent again.</param>
    public static Encoder<T> Encode<T>(Encoder<T> inner, string source, string type, Func<T, string> id)
    {
        Check(inner, source, type, id);
        return new EnvelopeEncoder<T>(inner, source, type, id);
    }

    /// <summary>
    /// Puts the envelope beside what another encoder writes, in the binary mode: the body is the data as it is, of its own media type, and the attributes are headers. Over MQTT this needs
    /// MQTT 5, whose user properties they are.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="inner">Writes the data.</param>
    /// <param name="source">Where events come from, a URI reference: <c>/plant/7</c>.</param>
    /// <param name="type">What kind of event it is: <c>com.example.overheated</c>.</param>
    /// <param name="id">Gives an event's identity: with the source unique, and the same where the event is sent again.</param>
    /// <param name="prefix">What stands in front of the attributes' names: nothing over MQTT 5, <c>ce-</c> over HTTP, <c>cloudEvents:</c> over AMQP.</param>
    public static Encoder<T> EncodeBinary<T>(Encoder<T> inner, string source, string type, Func<T, string> id, string prefix = "")
    {
        Check(inner, source, type, id);
        ArgumentNullException.ThrowIfNull(prefix);
        return new BesideEncoder<T>(inner, source, type, id, prefix);
    }

    private static void Check<T>(Encoder<T> inner, string source, string type, Func<T, string> id)
    {
        ArgumentNullException.ThrowIfNull(inner);
        ArgumentException.ThrowIfNullOrEmpty(source);
        ArgumentException.ThrowIfNullOrEmpty(type);
        ArgumentNullException.ThrowIfNull(id);
    }

    private static string IdentityOf<T>(Func<T, string> id, T value) =>
        id(value) is { Length: > 0 } identity ? identity : throw new FormatException("A CloudEvent needs an id.");

    private sealed class BesideEncoder<T>(Encoder<T> inner, string source, string type, Func<T, string> id, string prefix) : Encoder<T>
    {
        private readonly KeyValuePair<string, string>[] _constant =
        [
            new(prefix + "specversion", "1.0"), new(prefix + "source", source), new(prefix + "type", type),
        ];

        private readonly string _id = prefix + "id";

        public override string ContentType => inner.ContentType;

        public override bool HasHeaders => true;

        public override void Encode(in T value, IBufferWriter<byte> output) => inner.Encode(in value, output);

        public override void WriteHeaders(in T value, ICollection<KeyValuePair<string, string>> headers)
        {
            ArgumentNullException.ThrowIfNull(headers);
            inner.WriteHeaders(in value, headers);
            foreach (var attribute in _constant)
            {
                headers.Add(attribute);
            }

            headers.Add(new(_id, IdentityOf(id, value)));
        }
    }

#pragma warning disable CA1001 // The writer owns nothing: what it writes to is the caller's.
    private sealed class EnvelopeEncoder<T>(Encoder<T> inner, string source, string type, Func<T, string> id) : Encoder<T>
#pragma warning restore CA1001
    {
        private readonly ArrayBufferWriter<byte> _data = new();
        private readonly Utf8JsonWriter _json = new(Stream.Null, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

        public override string ContentType => "application/cloudevents+json";

        public override void Encode(in T value, IBufferWriter<byte> output)
        {
            ArgumentNullException.ThrowIfNull(output);
            _data.ResetWrittenCount();
            inner.Encode(in value, _data);
            string identity = IdentityOf(id, value);

            _json.Reset(output);
            _json.WriteStartObject();
            _json.WriteString("specversion"u8, "1.0"u8);
            _json.WriteString("id"u8, identity);
            _json.WriteString("source"u8, source);
            _json.WriteString("type"u8, type);
            _json.WriteString("datacontenttype"u8, inner.ContentType);
            if (CloudEventNames.IsJson(inner.ContentType))
            {
                _json.WritePropertyName("data"u8);
                _json.WriteRawValue(_data.WrittenSpan, skipInputValidation: true);
            }
            else
            {
                _json.WriteBase64String("data_base64"u8, _data.WrittenSpan);
            }

            _json.WriteEndObject();
            _json.Flush();
        }
    }
}

/// <summary>The names of attributes where transports carry them.</summary>
internal static class CloudEventNames
{
    private static readonly string[] _prefixes = ["ce-", "cloudEvents:", "cloudEvents_", ""];

    internal static bool IsJson(string? contentType)
    {
        var type = contentType.AsSpan();
        int parameters = type.IndexOf(';');
        type = (parameters < 0 ? type : type[..parameters]).Trim();
        return type.IsEmpty || type.EndsWith("/json", StringComparison.OrdinalIgnoreCase) || type.EndsWith("+json", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>What stands in front of the attributes' names in the headers of a binary message; null where they are none.</summary>
    internal static string? PrefixOf(PayloadHeaders headers)
    {
        for (int i = 0; i < headers.Count; i++)
        {
            string name = headers[i].Key;
            if (!name.EndsWith("specversion", StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            int length = name.Length - "specversion".Length;
            foreach (string prefix in _prefixes)
            {
                if (prefix.Length == length && name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
                {
                    return prefix;
                }
            }
        }

        return null;
    }
}
