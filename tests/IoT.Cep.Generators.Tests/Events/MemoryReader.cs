using IoT.Cep.Extensibility;

namespace IoT.Cep.Generators.Tests;

/// <summary>A payload that is rows of name and value; what a format's reader does, without a format.</summary>
internal struct MemoryReader(EventSchema schema, (string Name, object? Value)[] fields) : IFieldReader
{
    private int _next;
    private int _field;

    internal (DeadLetterReason Reason, int Field)? Failure { get; private set; }

    public readonly bool Ok => Failure is null;

    private readonly object? Value => fields[_next - 1].Value;

    public bool Next(out int field)
    {
        while (Ok && _next < fields.Length)
        {
            string name = fields[_next++].Name;
            _field = field = schema.Fields.ToList().FindIndex(f => f.Name == name);
            if (field >= 0)
            {
                return true;
            }
        }

        field = -1;
        return false;
    }

    public double Number() => Value switch
    {
        double number => number,
        int number => number,
        _ => Wrong<double>(0),
    };

    public long Integer() => Value switch
    {
        long number => number,
        int number => number,
        _ => Wrong(0L),
    };

    public string Text() => Value as string ?? Wrong("");

    public long Time() => Value switch
    {
        DateTimeOffset time => Ticks.From(time),
        long ticks => ticks,
        _ => Wrong(0L),
    };

    public bool Boolean() => Value as bool? ?? Wrong(false);

    public readonly bool IsNull() => Value is null;

    public void Fail(DeadLetterReason reason, int field) => Failure ??= (reason, field);

    private T Wrong<T>(T instead)
    {
        Fail(DeadLetterReason.WrongType, _field);
        return instead;
    }
}

/// <summary>What became of a payload.</summary>
internal static class Decoding
{
    /// <summary>The event of these fields, which must be one.</summary>
    internal static T Event<T>(params (string Name, object? Value)[] fields)
        where T : IEvent<T>
    {
        var reader = new MemoryReader(T.Schema, fields);
        Assert.True(T.TryRead(ref reader, out var value), $"refused: {reader.Failure}");
        Assert.Null(reader.Failure);
        return value;
    }

    /// <summary>Why these fields, which must not be an event, aren't one; the field by the name of its member.</summary>
    internal static (DeadLetterReason Reason, string Member) Refusal<T>(params (string Name, object? Value)[] fields)
        where T : IEvent<T>
    {
        var reader = new MemoryReader(T.Schema, fields);
        Assert.False(T.TryRead(ref reader, out var value));
        Assert.Equal(default, value);
        var (reason, field) = Assert.NotNull(reader.Failure);
        return (reason, T.Schema.Fields[field].Member);
    }

    /// <summary>The event after it was saved and read back.</summary>
    internal static T SavedAndLoaded<T>(T value)
        where T : IEvent<T>
    {
        var writer = new StateWriter();
        T.Write(writer, in value);
        var reader = new StateReader(writer.Written);
        var loaded = T.Read(reader);
        Assert.True(reader.AtEnd);
        return loaded;
    }
}
