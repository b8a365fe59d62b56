using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Writes an event as a SenML pack (RFC 8428): the key as the base name, the time as the base time, each other field as a record.</summary>
#pragma warning disable CA1001 // The writer owns nothing: what it writes to is the caller's.
internal sealed class SenMlEncoder<T> : Encoder<T>
#pragma warning restore CA1001
    where T : IEvent<T>
{
    private readonly EncodedFields _fields = new(T.Schema);
    private readonly JsonEncodedText[] _names;
    private readonly Utf8JsonWriter _json = new(Stream.Null, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true });

    internal SenMlEncoder()
    {
        SenMlNames.ThrowIfUnfit(T.Schema);
        _names = [.. T.Schema.Fields.Select(f => JsonEncodedText.Encode(f.Name))];
    }

    public override string ContentType => "application/senml+json";

    public override void Encode(in T value, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        _json.Reset(output);
        _json.WriteStartArray();
        _json.WriteStartObject();

        // What is the same for all records stands first, wherever the type has it.
        var head = new SenMlHead(T.Schema);
        T.WriteTo(ref head, in value);
        if (head.Key is { } key)
        {
            _json.WriteString("bn"u8, SenMlNames.BaseName(_fields, key));
        }

        if (head.Ticks is { } ticks)
        {
            Span<byte> text = stackalloc byte[32];
            _json.WritePropertyName("bt"u8);
            _json.WriteRawValue(SenMlNames.Seconds(_fields, ticks, text), skipInputValidation: true);
        }

        var writer = new Writer(_json, _names, _fields);
        T.WriteTo(ref writer, in value);
        writer.End();
        _json.WriteEndObject();
        _json.WriteEndArray();
        _json.Flush();
    }

    private struct Writer(Utf8JsonWriter json, JsonEncodedText[] names, EncodedFields fields) : IFieldWriter
    {
        private bool _hasRecord;

        public void Number(int field, double value)
        {
            if (Begin(field))
            {
                json.WriteNumber("v"u8, fields.Finite(field, value));
            }
        }

        public void Integer(int field, long value)
        {
            if (Begin(field))
            {
                json.WriteNumber("v"u8, value);
            }
        }

        public void Text(int field, string value)
        {
            if (Begin(field))
            {
                json.WriteString("vs"u8, value);
            }
        }

        public void Time(int field, long ticks)
        {
            if (Begin(field))
            {
                Span<byte> text = stackalloc byte[32];
                json.WriteString("vs"u8, text[..Utf8Output.Time(text, ticks)]);
            }
        }

        public void Boolean(int field, bool value)
        {
            if (Begin(field))
            {
                json.WriteBoolean("vb"u8, value);
            }
        }

        // SenML has no null: a record that is not there is one.
        public readonly void Null(int field)
        {
        }

        internal readonly void End()
        {
            if (!_hasRecord)
            {
                throw new FormatException("SenML has no event without a value.");
            }
        }

        private bool Begin(int field)
        {
            if (!fields.IsInBody(field) || field == fields.Schema.KeyIndex || field == fields.Schema.TimeIndex)
            {
                return false;
            }

            if (_hasRecord)
            {
                json.WriteEndObject();
                json.WriteStartObject();
            }

            _hasRecord = true;
            json.WriteString("n"u8, names[field]);
            if (fields.Schema.Fields[field].Unit is { } unit)
            {
                json.WriteString("u"u8, unit);
            }

            return true;
        }
    }
}

/// <summary>Takes an event's key and time, and nothing else.</summary>
internal struct SenMlHead(EventSchema schema) : IFieldWriter
{
    internal string? Key { get; private set; }

    internal long? Ticks { get; private set; }

    public readonly void Number(int field, double value)
    {
    }

    public readonly void Integer(int field, long value)
    {
    }

    public void Text(int field, string value) => Key = IsIt(field, schema.KeyIndex) ? value : Key;

    public void Time(int field, long ticks) => Ticks = IsIt(field, schema.TimeIndex) ? ticks : Ticks;

    public readonly void Boolean(int field, bool value)
    {
    }

    public readonly void Null(int field)
    {
    }

    private readonly bool IsIt(int field, int index) => field == index && schema.Fields[field].Origin == FieldOrigin.Payload;
}

/// <summary>What SenML lets stand in a name and a time (RFC 8428, sections 4.5.1 and 4.5.3).</summary>
internal static class SenMlNames
{
    private const long FirstAbsoluteTicks = (1L << 28) * TimeSpan.TicksPerSecond;

    private static readonly SearchValues<char> _characters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-:./_");

    internal static void ThrowIfUnfit(EventSchema schema)
    {
        for (int i = 0; i < schema.Fields.Count; i++)
        {
            string name = schema.Fields[i].Name;
            if (name.AsSpan().ContainsAnyExcept(_characters) || (schema.KeyIndex < 0 && name.Length > 0 && !char.IsAsciiLetterOrDigit(name[0])))
            {
                throw new ArgumentException($"SenML can't have a record named '{SafeText.Escape(name, 64)}': rename the member with [Field].");
            }
        }
    }

    /// <summary>The key with a separator behind it, so that a record's own name can follow.</summary>
    internal static string BaseName(EncodedFields fields, string key) =>
        key.Length > 0 && char.IsAsciiLetterOrDigit(key[0]) && !key.AsSpan().ContainsAnyExcept(_characters)
            ? key + ":"
            : throw fields.Problem(fields.Schema.KeyIndex, "SenML names begin with a letter or a digit and hold letters, digits and - : . / _ only");

    internal static ReadOnlySpan<byte> Seconds(EncodedFields fields, long ticks, Span<byte> target)
    {
        if (ticks < FirstAbsoluteTicks)
        {
            throw fields.Problem(fields.Schema.TimeIndex, "in SenML a time before July 1978 is one relative to now");
        }

        ((decimal)ticks / TimeSpan.TicksPerSecond).TryFormat(target, out int written, "0.#######", System.Globalization.CultureInfo.InvariantCulture);
        return target[..written];
    }
}
