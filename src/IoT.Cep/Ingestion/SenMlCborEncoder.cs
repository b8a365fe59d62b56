using System.Buffers;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Writes an event as a SenML pack in CBOR (RFC 8428, section 6).</summary>
internal sealed class SenMlCborEncoder<T> : Encoder<T>
    where T : IEvent<T>
{
    private const int BaseName = -2, BaseTime = -3, Name = 0, Unit = 1, Value = 2, Text = 3, Boolean = 4;

    private readonly EncodedFields _fields = new(T.Schema);

    internal SenMlCborEncoder() => SenMlNames.ThrowIfUnfit(T.Schema);

    public override string ContentType => "application/senml+cbor";

    public override void Encode(in T value, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        var head = new SenMlHead(T.Schema);
        T.WriteTo(ref head, in value);
        var counter = new Writer(null, _fields, default);
        T.WriteTo(ref counter, in value);
        if (counter.Records == 0)
        {
            throw new FormatException("SenML has no event without a value.");
        }

        CborOutput.Head(output, CborMajor.Array, (ulong)counter.Records);
        var writer = new Writer(output, _fields, head);
        T.WriteTo(ref writer, in value);
    }

    private struct Writer(IBufferWriter<byte>? output, EncodedFields fields, SenMlHead head) : IFieldWriter
    {
        internal int Records { get; private set; }

        public void Number(int field, double value)
        {
            if (Begin(field, Value))
            {
                CborOutput.Number(output!, fields.Finite(field, value));
            }
        }

        public void Integer(int field, long value)
        {
            if (Begin(field, Value))
            {
                CborOutput.Integer(output!, value);
            }
        }

        public void Text(int field, string value)
        {
            if (Begin(field, SenMlCborEncoder<T>.Text))
            {
                CborOutput.Text(output!, value);
            }
        }

        public void Time(int field, long ticks)
        {
            if (Begin(field, SenMlCborEncoder<T>.Text))
            {
                Span<byte> text = stackalloc byte[32];
                int length = Utf8Output.Time(text, ticks);
                CborOutput.Head(output!, CborMajor.Text, (ulong)length);
                output!.Write(text[..length]);
            }
        }

        public void Boolean(int field, bool value)
        {
            if (Begin(field, SenMlCborEncoder<T>.Boolean))
            {
                CborOutput.Simple(output!, value ? (byte)21 : (byte)20);
            }
        }

        public readonly void Null(int field)
        {
        }

        // Without an output the records are only counted.
        private bool Begin(int field, int label)
        {
            if (!fields.IsInBody(field) || field == fields.Schema.KeyIndex || field == fields.Schema.TimeIndex)
            {
                return false;
            }

            if (output is null)
            {
                Records++;
                return false;
            }

            bool isFirst = Records++ == 0;
            string? unit = fields.Schema.Fields[field].Unit;
            int pairs = 2 + (unit is null ? 0 : 1) + (isFirst && head.Key is not null ? 1 : 0) + (isFirst && head.Ticks is not null ? 1 : 0);
            CborOutput.Head(output, CborMajor.Map, (ulong)pairs);
            if (isFirst)
            {
                WriteHead();
            }

            CborOutput.Integer(output, Name);
            CborOutput.Text(output, fields.Name(field));
            if (unit is not null)
            {
                CborOutput.Integer(output, Unit);
                CborOutput.Text(output, unit);
            }

            CborOutput.Integer(output, label);
            return true;
        }

        private readonly void WriteHead()
        {
            if (head.Key is { } key)
            {
                CborOutput.Integer(output!, BaseName);
                CborOutput.Text(output!, SenMlNames.BaseName(fields, key));
            }

            if (head.Ticks is { } ticks)
            {
                CborOutput.Integer(output!, BaseTime);
                Span<byte> text = stackalloc byte[32];
                SenMlNames.Seconds(fields, ticks, text);
                if (ticks % TimeSpan.TicksPerSecond == 0)
                {
                    CborOutput.Integer(output!, ticks / TimeSpan.TicksPerSecond);
                    return;
                }

                // A decimal fraction: today's seconds as a double have no tenths of a microsecond.
                CborOutput.Head(output!, CborMajor.Tag, 4);
                CborOutput.Head(output!, CborMajor.Array, 2);
                CborOutput.Integer(output!, -7);
                CborOutput.Integer(output!, ticks);
            }
        }
    }
}
