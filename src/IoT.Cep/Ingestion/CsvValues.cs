using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Takes a cell as the type that an event wants; otherwise sets the fault and gives the default.</summary>
internal ref struct CsvValues(ReadOnlySpan<byte> text, CsvCells cells, PayloadBuffer buffer, StringPool strings)
{
    private readonly ReadOnlySpan<byte> _text = text;

    internal DecodeFault Fault;

    internal readonly CsvCells Cells => cells;

    internal readonly PayloadBuffer Buffer => buffer;

    internal readonly StringPool Strings => strings;

    internal bool TryReadRow(ref int at) => cells.TryReadRow(_text, ref at, ref Fault);

    internal readonly bool IsEmpty(int cell) => cells[cell] is { Length: 0, IsQuoted: false };

    internal double Number(int cell, string name)
    {
        var text = Trimmed(cell);
        if (Utf8Numbers.TryParse(text, out double value))
        {
            return value;
        }

        // What would be a number but for its size was parsed, and gave no finite value.
        bool isNumber = Utf8Numbers.Scan(text, out _) == text.Length && text.Length > 0;
        Fail(isNumber ? DeadLetterReason.OutOfRange : DeadLetterReason.WrongType, "the value is not a number", cell, name);
        return 0;
    }

    internal long Integer(int cell, string name)
    {
        var text = Trimmed(cell);
        if (text.Length == 0 || Utf8Numbers.Scan(text, out var number) != text.Length)
        {
            Fail(DeadLetterReason.WrongType, "the value is not a whole number", cell, name);
            return 0;
        }

        if (!Utf8Numbers.TryToInteger(in number, out long value, out bool isWhole))
        {
            Fail(isWhole ? DeadLetterReason.OutOfRange : DeadLetterReason.WrongType, "the value is not a whole number", cell, name);
        }

        return value;
    }

    internal long Time(int cell, string name)
    {
        var result = Utf8Times.ParseAny(Trimmed(cell), out long ticks);
        if (result == TimeResult.Ok)
        {
            return ticks;
        }

        Fail(result == TimeResult.OutOfRange ? DeadLetterReason.OutOfRange : DeadLetterReason.WrongType,
            "the value is not a time: give ISO 8601 or a number since 1970", cell, name);
        return 0;
    }

    internal bool Boolean(int cell, string name)
    {
        var text = Trimmed(cell);
        bool isTrue = text.SequenceEqual("1"u8) || System.Text.Ascii.EqualsIgnoreCase(text, "true"u8);
        if (!isTrue && !text.SequenceEqual("0"u8) && !System.Text.Ascii.EqualsIgnoreCase(text, "false"u8))
        {
            Fail(DeadLetterReason.WrongType, "the value is neither true nor false", cell, name);
        }

        return isTrue;
    }

    internal string Text(int cell, string name) =>
        cells.TryText(_text, cell, buffer, ref Fault, name, out var utf8) ? strings.Get(utf8) : "";

    internal readonly int Position(int cell) => cells[cell].Start;

    internal void Fail(DeadLetterReason reason, string what, int cell, string name) =>
        Fault.Set(reason, reason == DeadLetterReason.OutOfRange ? "the value is out of range" : what, cells[cell].Start, name);

    private readonly ReadOnlySpan<byte> Trimmed(int cell) => cells.Bytes(_text, cell, buffer).Trim((byte)' ');
}
