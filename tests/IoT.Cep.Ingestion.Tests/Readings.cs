using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

/// <summary>What the source generator would write for an event with every kind of field, one of them optional.</summary>
public readonly record struct Sample(long Ticks, string Sensor, double Temperature, long? Count, bool Ok) : IEvent<Sample>
{
    public static EventSchema Schema { get; } = new(
        "Sample",
        new EventField("Time", "time", FieldKind.Time, isTime: true, isKey: false, isRequired: true),
        new EventField("Sensor", "sensor", FieldKind.Text, isTime: false, isKey: true, isRequired: true),
        new EventField("Temperature", "temperature", FieldKind.Number, isTime: false, isKey: false, isRequired: true),
        new EventField("Count", "count", FieldKind.Integer, isTime: false, isKey: false, isRequired: false),
        new EventField("Ok", "ok", FieldKind.Boolean, isTime: false, isKey: false, isRequired: false));

    public static bool TryRead<TReader>(ref TReader reader, out Sample value)
        where TReader : struct, IFieldReader, allows ref struct
    {
        ulong seen = 0;
        long ticks = 0;
        string sensor = "";
        double temperature = 0;
        long? count = null;
        bool ok = false;
        value = default;
        while (reader.Next(out int field))
        {
            if ((seen & (1UL << field)) != 0)
            {
                reader.Fail(DeadLetterReason.DuplicateField, field);
                return false;
            }

            seen |= 1UL << field;
            switch (field)
            {
                case 0:
                    ticks = reader.Time();
                    break;
                case 1:
                    sensor = reader.Text();
                    break;
                case 2:
                    temperature = reader.Number();
                    break;
                case 3:
                    count = reader.IsNull() ? null : reader.Integer();
                    break;
                case 4:
                    ok = reader.Boolean();
                    break;
            }
        }

        ulong missing = Schema.RequiredMask & ~seen;
        if (reader.Ok && missing != 0)
        {
            reader.Fail(DeadLetterReason.MissingField, System.Numerics.BitOperations.TrailingZeroCount(missing));
        }

        value = new Sample(ticks, sensor, temperature, count, ok);
        return reader.Ok;
    }

    public static long TicksOf(in Sample value) => value.Ticks;

    public static void Write(StateWriter writer, in Sample value) => throw new NotSupportedException();

    public static Sample Read(StateReader reader) => throw new NotSupportedException();
}

/// <summary>What the source generator would write for the shape that most devices send.</summary>
public readonly record struct Reading(long Ticks, string Sensor, double Temperature, double Humidity) : IEvent<Reading>
{
    public static EventSchema Schema { get; } = new(
        "Reading",
        new EventField("Time", "time", FieldKind.Time, isTime: true, isKey: false, isRequired: true),
        new EventField("Sensor", "sensor", FieldKind.Text, isTime: false, isKey: true, isRequired: true),
        new EventField("Temperature", "temperature", FieldKind.Number, isTime: false, isKey: false, isRequired: true),
        new EventField("Humidity", "humidity", FieldKind.Number, isTime: false, isKey: false, isRequired: true));

    public static bool TryRead<TReader>(ref TReader reader, out Reading value)
        where TReader : struct, IFieldReader, allows ref struct
    {
        ulong seen = 0;
        long ticks = 0;
        string sensor = "";
        double temperature = 0, humidity = 0;
        while (reader.Next(out int field))
        {
            if ((seen & (1UL << field)) != 0)
            {
                reader.Fail(DeadLetterReason.DuplicateField, field);
                break;
            }

            seen |= 1UL << field;
            switch (field)
            {
                case 0:
                    ticks = reader.Time();
                    break;
                case 1:
                    sensor = reader.Text();
                    break;
                case 2:
                    temperature = reader.Number();
                    break;
                case 3:
                    humidity = reader.Number();
                    break;
            }
        }

        ulong missing = Schema.RequiredMask & ~seen;
        if (reader.Ok && missing != 0)
        {
            reader.Fail(DeadLetterReason.MissingField, System.Numerics.BitOperations.TrailingZeroCount(missing));
        }

        value = new Reading(ticks, sensor, temperature, humidity);
        return reader.Ok;
    }

    public static long TicksOf(in Reading value) => value.Ticks;

    public static void Write(StateWriter writer, in Reading value) => throw new NotSupportedException();

    public static Reading Read(StateReader reader) => throw new NotSupportedException();
}

/// <summary>The machine's CSV: a time and a value, no sensor's name.</summary>
public readonly record struct MachineReading(long Ticks, double Value) : IEvent<MachineReading>
{
    public static EventSchema Schema { get; } = new(
        "MachineReading",
        new EventField("Time", "timestamp", FieldKind.Time, isTime: true, isKey: false, isRequired: true),
        new EventField("Value", "value", FieldKind.Number, isTime: false, isKey: false, isRequired: true));

    public static bool TryRead<TReader>(ref TReader reader, out MachineReading value)
        where TReader : struct, IFieldReader, allows ref struct
    {
        ulong seen = 0;
        long ticks = 0;
        double number = 0;
        while (reader.Next(out int field))
        {
            if ((seen & (1UL << field)) != 0)
            {
                reader.Fail(DeadLetterReason.DuplicateField, field);
                break;
            }

            seen |= 1UL << field;
            if (field == 0)
            {
                ticks = reader.Time();
            }
            else
            {
                number = reader.Number();
            }
        }

        ulong missing = Schema.RequiredMask & ~seen;
        if (reader.Ok && missing != 0)
        {
            reader.Fail(DeadLetterReason.MissingField, System.Numerics.BitOperations.TrailingZeroCount(missing));
        }

        value = new MachineReading(ticks, number);
        return reader.Ok;
    }

    public static long TicksOf(in MachineReading value) => value.Ticks;

    public static void Write(StateWriter writer, in MachineReading value) => throw new NotSupportedException();

    public static MachineReading Read(StateReader reader) => throw new NotSupportedException();
}
