using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What encoders know of an event type's fields: which stand in a body at all.</summary>
internal sealed class EncodedFields
{
    private readonly bool[] _isInBody;

    internal EncodedFields(EventSchema schema)
    {
        Schema = schema;
        _isInBody = [.. schema.Fields.Select(f => f.Origin == FieldOrigin.Payload)];
    }

    internal EventSchema Schema { get; }

    /// <summary>What came from beside a body is not put into one: no decoder would read it there.</summary>
    internal bool IsInBody(int field) => _isInBody[field];

    internal string Name(int field) => Schema.Fields[field].Name;

    /// <summary>A number that every format can hold.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal double Finite(int field, double value) => double.IsFinite(value) ? value : throw NotFinite(field);

    /// <summary>A failure to encode a field.</summary>
    internal FormatException Problem(int field, string what) => new($"{SafeText.Escape(Name(field), 64)}: {what}.");

    private FormatException NotFinite(int field) => Problem(field, "NaN and infinities can't be encoded");
}

/// <summary>Writes values as UTF-8 text.</summary>
internal static class Utf8Output
{
    private const string IsoTime = "yyyy'-'MM'-'dd'T'HH':'mm':'ss.FFFFFFF'Z'";

    internal static void Number(IBufferWriter<byte> output, double value)
    {
        value.TryFormat(output.GetSpan(32), out int written, "R", CultureInfo.InvariantCulture);
        output.Advance(written);
    }

    internal static void Integer(IBufferWriter<byte> output, long value)
    {
        value.TryFormat(output.GetSpan(20), out int written, default, CultureInfo.InvariantCulture);
        output.Advance(written);
    }

    /// <summary>ISO 8601 in UTC, with as many digits of the second as the time has.</summary>
    internal static int Time(Span<byte> target, long ticks)
    {
        Ticks.ToTime(ticks).UtcDateTime.TryFormat(target, out int written, IsoTime, CultureInfo.InvariantCulture);
        return written;
    }

    internal static void Time(IBufferWriter<byte> output, long ticks) => output.Advance(Time(output.GetSpan(32), ticks));
}
