using IoT.Cep;

// Event types as users write them; the generator writes their other parts when this project is built.
[Event]
internal readonly partial record struct GlobalReading([EventTime] DateTimeOffset Time, double Celsius);

namespace IoT.Cep.Generators.Tests
{
    [Event]
    public readonly partial record struct Reading(
        [EventTime] DateTimeOffset Time, [EventKey] string Sensor, [Field("temperature")] double Celsius, double Humidity = 50);

    public enum DoorState
    {
        Closed,
        Open,
        Ajar = 7,
    }

    [Event]
    internal sealed partial record Everything(
        double Double,
        float Float,
        decimal Decimal,
        sbyte SByte,
        byte Byte,
        short Short,
        ushort UShort,
        int Int,
        uint UInt,
        long Long,
        ulong ULong,
        string Text,
        bool Bool,
        [EventTime] DateTimeOffset Time,
        DateTime Clock,
        DoorState Door);

    [Event]
    internal sealed partial record Optional(
        double? Double,
        float? Float,
        decimal? Decimal,
        int? Int,
        ulong? ULong,
        string? Text,
        bool? Bool,
        DateTimeOffset? Time,
        DateTime? Clock,
        DoorState? Door);

    [Event]
    internal readonly partial record struct Defaults(
        double Double = -0.0,
        double NotANumber = double.NaN,
        float Float = 1.5f,
        decimal Decimal = 0.1m,
        long Long = long.MinValue,
        ulong ULong = ulong.MaxValue,
        string Text = "a \"b\"\n",
        string? Null = null,
        bool Bool = true,
        DateTimeOffset Time = default,
        DoorState Door = DoorState.Ajar,
        int? Int = 3);

    /// <summary>A class with a constructor of its own, whose parameters are in another case than the properties.</summary>
    [Event]
    internal sealed partial class Measured
    {
        public Measured(DateTime time, int value)
        {
            Time = time;
            Value = value;
        }

        [EventTime]
        public DateTime Time { get; }

        [Field("v")]
        public int Value { get; }
    }

    [Event]
    internal partial struct Plain(double x, double y)
    {
        public readonly double X => x;

        public readonly double Y => y;
    }

    internal static partial class Outer<T>
    {
        internal partial interface IInner
        {
            [Event]
            internal readonly partial record struct Nested(int Value);
        }
    }

    internal static partial class Machines
    {
        [Event]
        internal readonly partial record struct Press([property: EventKey] string Id, [property: Field("p")] double Pressure);
    }

    /// <summary>Members whose names are the generator's own, or keywords.</summary>
    [Event]
    internal readonly partial record struct Awkward(int Schema, int Read, int Fields, int @class, int value, int Ticks);
}
