using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Writes an event as a JSON object.</summary>
#pragma warning disable CA1001 // The writer owns nothing: what it writes to is the caller's.
internal sealed class JsonEncoder<T> : Encoder<T>
#pragma warning restore CA1001
    where T : IEvent<T>
{
    // The payload is no part of a web page, so only what JSON itself asks for is escaped.
    private static readonly JsonWriterOptions _options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    private readonly EncodedFields _fields = new(T.Schema);
    private readonly JsonEncodedText[] _names = [.. T.Schema.Fields.Select(f => JsonEncodedText.Encode(f.Name, JavaScriptEncoder.UnsafeRelaxedJsonEscaping))];
    private readonly Utf8JsonWriter _json = new(Stream.Null, _options);

    public override string ContentType => "application/json";

    public override void Encode(in T value, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        _json.Reset(output);
        _json.WriteStartObject();
        var writer = new Writer(_json, _names, _fields);
        T.WriteTo(ref writer, in value);
        _json.WriteEndObject();
        _json.Flush();
    }

    private readonly struct Writer(Utf8JsonWriter json, JsonEncodedText[] names, EncodedFields fields) : IFieldWriter
    {
        public void Number(int field, double value)
        {
            if (fields.IsInBody(field))
            {
                json.WriteNumber(names[field], fields.Finite(field, value));
            }
        }

        public void Integer(int field, long value)
        {
            if (fields.IsInBody(field))
            {
                json.WriteNumber(names[field], value);
            }
        }

        public void Text(int field, string value)
        {
            if (fields.IsInBody(field))
            {
                json.WriteString(names[field], value);
            }
        }

        public void Time(int field, long ticks)
        {
            if (fields.IsInBody(field))
            {
                Span<byte> text = stackalloc byte[32];
                json.WriteString(names[field], text[..Utf8Output.Time(text, ticks)]);
            }
        }

        public void Boolean(int field, bool value)
        {
            if (fields.IsInBody(field))
            {
                json.WriteBoolean(names[field], value);
            }
        }

        public void Null(int field)
        {
            if (fields.IsInBody(field))
            {
                json.WriteNull(names[field]);
            }
        }
    }
}

/// <summary>Writes any type as JSON by generated code of System.Text.Json.</summary>
#pragma warning disable CA1001 // The writer owns nothing: what it writes to is the caller's.
internal sealed class JsonTypeEncoder<T>(JsonTypeInfo<T> type) : Encoder<T>
#pragma warning restore CA1001
{
    private readonly Utf8JsonWriter _json = new(Stream.Null);

    public override string ContentType => "application/json";

    public override void Encode(in T value, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        _json.Reset(output);
        JsonSerializer.Serialize(_json, value, type);
        _json.Flush();
    }
}
