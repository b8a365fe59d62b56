using System.Text.Unicode;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The fields of a metric (sparkplug_b.proto) and what its value is by its data type.</summary>
internal static class SparkplugValues
{
    private const int Name = 1, Alias = 2, Timestamp = 3, DataType = 4, IsHistorical = 5, IsNull = 7;
    private const int IntValue = 10, LongValue = 11, FloatValue = 12, DoubleValue = 13, BooleanValue = 14, StringValue = 15;

    // Data types of section 6.4.16: Int8 to Int64, UInt8 to UInt64, and DateTime.
    private const ulong Int8 = 1, Int16 = 2, Int32 = 3, Int64 = 4, DateTime = 13;

    internal static void ReadField(ref ProtobufScanner wire, int number, WireType type, ref SparkplugEntry entry, StringPool strings, PayloadLimits limits)
    {
        ulong value = 0;
        switch (number)
        {
            case Name when type == WireType.Bytes:
                entry.HasName = TryText(ref wire, strings, limits, out entry.Name) && entry.Name.Length > 0;
                break;
            case Alias when type == WireType.Varint:
                entry.HasAlias = wire.TryVarint(out entry.Alias);
                break;
            case Timestamp when type == WireType.Varint:
                if (wire.TryVarint(out value) && BinaryTimes.FromUnits((long)Math.Min(value, long.MaxValue), 1_000_000, out entry.Ticks) != TimeResult.Ok)
                {
                    wire.Fault.Set(DeadLetterReason.OutOfRange, "the time is out of range", wire.Position, "timestamp");
                }

                break;
            case DataType when type == WireType.Varint:
                wire.TryVarint(out entry.DataType);
                break;
            case IsHistorical when type == WireType.Varint:
                entry.IsHistorical = wire.TryVarint(out value) && value != 0;
                break;
            case IsNull when type == WireType.Varint:
                entry.IsNull = wire.TryVarint(out value) && value != 0;
                break;
            case IntValue or LongValue or BooleanValue when type == WireType.Varint:
                entry.ValueField = number;
                wire.TryVarint(out entry.Bits);
                break;
            case FloatValue when type == WireType.Fixed32:
                entry.ValueField = number;
                wire.TryFixed32(out uint single);
                entry.Bits = single;
                break;
            case DoubleValue when type == WireType.Fixed64:
                entry.ValueField = number;
                wire.TryFixed64(out entry.Bits);
                break;
            case StringValue when type == WireType.Bytes:
                entry.ValueField = number;
                TryText(ref wire, strings, limits, out entry.Text);
                break;
            case (>= Name and <= IsHistorical) or IsNull or (>= IntValue and <= StringValue):
                wire.Fault.Set(DeadLetterReason.WrongType, "a metric's field has another type", wire.Position);
                break;
            default:
                wire.TrySkip(type);
                break;
        }
    }

    /// <summary>The value by its data type: whole numbers below 64 bits stand in 32 unsigned ones.</summary>
    internal static void Resolve(ref SparkplugEntry entry)
    {
        if (entry.IsNull)
        {
            entry.Text = "";
            return;
        }

        switch (entry.ValueField)
        {
            case IntValue or LongValue when entry.DataType == DateTime:
                bool isTime = BinaryTimes.FromUnits((long)Math.Min(entry.Bits, long.MaxValue), 1_000_000, out long ticks) == TimeResult.Ok;
                entry.Value = isTime ? SparkplugValue.Time : SparkplugValue.None;
                entry.Whole = isTime ? ticks : 0;
                break;
            case IntValue or LongValue:
                entry.Value = SparkplugValue.Number;
                entry.Whole = entry.DataType switch
                {
                    Int8 => (sbyte)entry.Bits,
                    Int16 => (short)entry.Bits,
                    Int32 => (int)entry.Bits,
                    _ => (long)entry.Bits,
                };
                entry.Number = entry.DataType is >= Int8 and <= Int64 ? entry.Whole : entry.Bits;
                break;
            case FloatValue or DoubleValue:
                double number = entry.ValueField == FloatValue ? BitConverter.UInt32BitsToSingle((uint)entry.Bits) : BitConverter.UInt64BitsToDouble(entry.Bits);
                entry.IsReal = true;
                entry.Value = double.IsFinite(number) ? SparkplugValue.Number : SparkplugValue.None;
                entry.Number = double.IsFinite(number) ? number : double.NaN;
                break;
            case BooleanValue:
                entry.Value = SparkplugValue.Boolean;
                entry.Whole = entry.Bits != 0 ? 1 : 0;
                break;
            case StringValue:
                entry.Value = SparkplugValue.Text;
                break;
        }
    }

    private static bool TryText(ref ProtobufScanner wire, StringPool strings, PayloadLimits limits, out string text)
    {
        text = "";
        if (!wire.TryBytes(out var utf8))
        {
            return false;
        }

        if (utf8.Length > limits.MaxTextBytes)
        {
            wire.Fault.Set(DeadLetterReason.OutOfRange, "the text is longer than the limit", wire.Position);
            return false;
        }

        if (!Utf8.IsValid(utf8))
        {
            wire.Fault.Set(DeadLetterReason.Malformed, "a text is not UTF-8", wire.Position);
            return false;
        }

        text = strings.Get(utf8);
        return true;
    }
}
