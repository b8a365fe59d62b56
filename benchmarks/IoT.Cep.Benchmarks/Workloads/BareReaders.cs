using System.Buffers.Text;
using System.Formats.Cbor;
using Google.Protobuf;
using IoT.Cep.Benchmarks.Compare;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>What only looks at each value of a payload, by the reader that one would take without this library.</summary>
internal static class BareReaders
{
    internal static Outcome Cbor(Payloads payloads, int count)
    {
        double celsius = 0, others = 0;
        var reader = new CborReader(default, CborConformanceMode.Lax);
        for (int i = 0; i < count; i++)
        {
            reader.Reset(payloads[i]);
            reader.ReadStartMap();
            for (int member = 0; member < 4; member++)
            {
                others += reader.ReadDefiniteLengthTextStringBytes().Length;
                switch (member)
                {
                    case 0:
                        others += reader.PeekState() == CborReaderState.Tag && reader.ReadTag() == CborTag.UnixTimeSeconds ? Number(reader) : reader.ReadDefiniteLengthTextStringBytes().Length;
                        break;
                    case 1:
                        others += reader.ReadDefiniteLengthTextStringBytes().Length;
                        break;
                    case 2:
                        celsius += reader.ReadDouble();
                        break;
                    default:
                        others += reader.ReadDouble();
                        break;
                }
            }

            reader.ReadEndMap();
        }

        return new Outcome(count, others == 0 ? double.NaN : celsius);
    }

    internal static Outcome SenMlCbor(Payloads payloads, int count)
    {
        double celsius = 0, others = 0;
        var reader = new CborReader(default, CborConformanceMode.Lax);
        for (int i = 0; i < count; i++)
        {
            reader.Reset(payloads[i]);
            reader.ReadStartArray();
            for (int record = 0; reader.PeekState() != CborReaderState.EndArray; record++)
            {
                for (int pairs = reader.ReadStartMap()!.Value; pairs > 0; pairs--)
                {
                    if (reader.ReadInt32() != 2)
                    {
                        others++;
                        reader.SkipValue();
                    }
                    else if (record == 0)
                    {
                        celsius += reader.ReadDouble();
                    }
                    else
                    {
                        others += reader.ReadDouble();
                    }
                }

                reader.ReadEndMap();
            }

            reader.ReadEndArray();
        }

        return new Outcome(count, others == 0 ? double.NaN : celsius);
    }

    internal static Outcome Protobuf(Payloads payloads, int count)
    {
        double celsius = 0, others = 0;
        for (int i = 0; i < count; i++)
        {
            int start = i == 0 ? 0 : payloads.Ends[i - 1];
            var input = new CodedInputStream(payloads.Bytes, start, payloads.Ends[i] - start);
            for (uint tag = input.ReadTag(); tag != 0; tag = input.ReadTag())
            {
                switch (tag >> 3)
                {
                    case 1:
                        others += Timestamp(input);
                        break;
                    case 2:
                        others += input.ReadBytes().Length;
                        break;
                    case 3:
                        celsius += input.ReadDouble();
                        break;
                    default:
                        others += input.ReadDouble();
                        break;
                }
            }
        }

        return new Outcome(count, others == 0 ? double.NaN : celsius);
    }

    internal static Outcome Line(Payloads payloads, int count)
    {
        double celsius = 0, others = 0;
        for (int i = 0; i < count; i++)
        {
            var line = payloads[i].Span;
            int fields = line.IndexOf((byte)' ');
            others += line[..fields].IndexOf((byte)'=');
            line = line[(fields + 1)..];
            for (int field = 0; line.IndexOf((byte)'=') is var name and >= 0; field++)
            {
                line = line[(name + 1)..];
                if (!Utf8Parser.TryParse(line, out double value, out int used))
                {
                    return new Outcome(count, double.NaN);
                }

                (celsius, others) = field == 0 ? (celsius + value, others) : (celsius, others + value);
                line = line[used..];
            }

            others += Utf8Parser.TryParse(line[1..], out long time, out _) ? time : double.NaN;
        }

        return new Outcome(count, others == 0 ? double.NaN : celsius);
    }

    internal static Outcome Csv(Payloads payloads, int count)
    {
        double celsius = 0, others = 0;
        for (int i = 0; i < count; i++)
        {
            var row = payloads[i].Span;
            var time = new DateTime(
                (Two(row, 0) * 100) + Two(row, 2), Two(row, 5), Two(row, 8), Two(row, 11), Two(row, 14), Two(row, 17), (Two(row, 20) * 10) + row[22] - '0', DateTimeKind.Utc);
            row = row[25..];
            int sensor = row.IndexOf((byte)',');
            others += sensor + time.Ticks;
            row = row[(sensor + 1)..];
            bool isRead = Utf8Parser.TryParse(row, out double value, out int used);
            celsius += value;
            isRead &= Utf8Parser.TryParse(row[(used + 1)..], out value, out _);
            others += isRead ? value : double.NaN;
        }

        return new Outcome(count, others == 0 || double.IsNaN(others) ? double.NaN : celsius);
    }

    private static int Two(ReadOnlySpan<byte> text, int at) => ((text[at] - '0') * 10) + text[at + 1] - '0';

    private static double Timestamp(CodedInputStream input)
    {
        double sum = 0;
        int length = input.ReadLength();
        for (long end = input.Position + length; input.Position < end;)
        {
            sum += input.ReadTag() >> 3 == 1 ? input.ReadInt64() : input.ReadInt32();
        }

        return sum;
    }

    private static double Number(CborReader reader) => reader.PeekState() is CborReaderState.UnsignedInteger ? reader.ReadInt64() : reader.ReadDouble();
}
