using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Writes an event as a message of Protobuf.</summary>
internal sealed class ProtobufEncoder<T> : Encoder<T>
    where T : IEvent<T>
{
    private readonly EncodedFields _fields = new(T.Schema);
    private readonly ProtobufNames _names = new(T.Schema);

    public override string ContentType => "application/protobuf";

    public override void Encode(in T value, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        var writer = new Writer(output, _names, _fields);
        T.WriteTo(ref writer, in value);
    }

    private readonly struct Writer(IBufferWriter<byte> output, ProtobufNames names, EncodedFields fields) : IFieldWriter
    {
        public void Number(int field, double value)
        {
            if (!fields.IsInBody(field))
            {
                return;
            }

            fields.Finite(field, value);
            if (fields.Schema.Fields[field].Form != WholeNumberForm.Default)
            {
                Whole(field, checked((long)Math.Round(value)));
                return;
            }

            Tag(field, WireType.Fixed64);
            Fixed(BitConverter.DoubleToUInt64Bits(value));
        }

        public void Integer(int field, long value)
        {
            if (fields.IsInBody(field))
            {
                Whole(field, value);
            }
        }

        public void Text(int field, string value)
        {
            if (!fields.IsInBody(field))
            {
                return;
            }

            var enumNames = fields.Schema.Fields[field].EnumNames;
            if (enumNames.Count > 0)
            {
                Whole(field, ValueOf(enumNames, value));
                return;
            }

            Tag(field, WireType.Bytes);
            Varint((ulong)Encoding.UTF8.GetByteCount(value));
            Encoding.UTF8.GetBytes(value, output);
        }

        public void Time(int field, long ticks)
        {
            if (!fields.IsInBody(field))
            {
                return;
            }

            // A Timestamp's nanoseconds count forward also before 1970.
            long seconds = Math.DivRem(ticks, TimeSpan.TicksPerSecond, out long rest);
            (seconds, rest) = rest < 0 ? (seconds - 1, rest + TimeSpan.TicksPerSecond) : (seconds, rest);
            ulong nanoseconds = (ulong)rest * 100;
            Tag(field, WireType.Bytes);
            Varint((ulong)(1 + Length((ulong)seconds) + 1 + Length(nanoseconds)));
            Varint((1 << 3) | (uint)WireType.Varint);
            Varint((ulong)seconds);
            Varint((2 << 3) | (uint)WireType.Varint);
            Varint(nanoseconds);
        }

        public void Boolean(int field, bool value)
        {
            if (fields.IsInBody(field))
            {
                Tag(field, WireType.Varint);
                Varint(value ? 1UL : 0);
            }
        }

        public void Null(int field)
        {
        }

        private static long ValueOf(IReadOnlyList<KeyValuePair<long, string>> enumNames, string name)
        {
            for (int i = 0; i < enumNames.Count; i++)
            {
                if (enumNames[i].Value == name)
                {
                    return enumNames[i].Key;
                }
            }

            throw new FormatException($"'{SafeText.Escape(name, 64)}' is no value of the enum.");
        }

        private static int Length(ulong value)
        {
            int length = 1;
            for (; value >= 0x80; value >>= 7)
            {
                length++;
            }

            return length;
        }

        private void Whole(int field, long value)
        {
            switch (fields.Schema.Fields[field].Form)
            {
                case WholeNumberForm.Fixed:
                    Tag(field, WireType.Fixed64);
                    Fixed((ulong)value);
                    break;
                case WholeNumberForm.ZigZag:
                    Tag(field, WireType.Varint);
                    Varint((ulong)((value << 1) ^ (value >> 63)));
                    break;
                default:
                    Tag(field, WireType.Varint);
                    Varint((ulong)value);
                    break;
            }
        }

        private void Tag(int field, WireType type) => Varint(((uint)names.NumberOf(field) << 3) | (uint)type);

        private void Fixed(ulong value)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(output.GetSpan(8), value);
            output.Advance(8);
        }

        private void Varint(ulong value)
        {
            var target = output.GetSpan(10);
            int length = 0;
            for (; value >= 0x80; value >>= 7)
            {
                target[length++] = (byte)(value | 0x80);
            }

            target[length++] = (byte)value;
            output.Advance(length);
        }
    }
}
