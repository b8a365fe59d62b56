using System.Net;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Reads values out of text: rows, line protocol, single values.</summary>
internal static class MeasurementText
{
    internal static bool IsCsv(ReadOnlySpan<byte> text)
    {
        int end = text.IndexOf((byte)'\n');
        return end > 0 && text[..end].ContainsAny((byte)',', (byte)';', (byte)'\t');
    }

    /// <summary>Whether the first line is a measurement with fields: an equals sign behind the first space.</summary>
    internal static bool IsLine(ReadOnlySpan<byte> text)
    {
        int end = text.IndexOf((byte)'\n');
        var line = end < 0 ? text : text[..end];
        int space = FindUnescaped(line, 0, (byte)' ', (byte)' ');
        int equals = space <= 0 ? -1 : line[space..].IndexOf((byte)'=');
        return equals > 1 && !line[(space + 1)..(space + equals)].ContainsAny((byte)' ', (byte)'"');
    }

    internal static void ReadValue(ReadOnlySpan<byte> bytes, MeasurementTarget target, ref DecodeFault fault)
    {
        var text = bytes.Trim(" \t\r\n"u8);
        if (text.IsEmpty)
        {
            fault.Set(DeadLetterReason.Malformed, "the payload is empty", -1);
            return;
        }

        AddText(target.Scope, "value", text, target, ref fault);
    }

    /// <summary>A form's fields (<c>v=21.5&amp;t=1767225600</c>) are the values of one row.</summary>
    internal static void ReadForm(ReadOnlySpan<byte> bytes, MeasurementTarget target, ref DecodeFault fault)
    {
        var scope = target.Scope;
        var fields = new List<(string Name, byte[] Value)>();
        foreach (string pair in Encoding.UTF8.GetString(bytes).Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = pair.IndexOf('=', StringComparison.Ordinal);
            string name = WebUtility.UrlDecode(equals < 0 ? pair : pair[..equals]);
            byte[] value = Encoding.UTF8.GetBytes(WebUtility.UrlDecode(equals < 0 ? "" : pair[(equals + 1)..]));
            if (MeasurementNames.IsTime(name) && MeasurementNames.TryTime(value, out long ticks))
            {
                scope = scope with { Time = Ticks.ToTime(ticks) };
            }
            else if (MeasurementNames.IsSensor(name) && value.Length > 0)
            {
                scope = scope with { Sensor = target.Pooled(value) };
            }
            else if (value.Length > 0)
            {
                fields.Add((name, value));
            }
        }

        if (fields.Count == 0)
        {
            fault.Set(DeadLetterReason.Malformed, "the form has no value", -1);
        }

        foreach (var (name, value) in fields)
        {
            AddText(in scope, name, value, target, ref fault);
        }
    }

    internal static void ReadCsv(ReadOnlySpan<byte> bytes, MeasurementTarget target, ref DecodeFault fault)
    {
        int end = bytes.IndexOf((byte)'\n');
        var header = end < 0 ? bytes : bytes[..end];
        char separator = header.Contains((byte)';') ? ';' : header.Contains((byte)'\t') ? '\t' : ',';
        var cells = new CsvCells(separator);
        int at = 0;
        if (!cells.TryReadRow(bytes, ref at, ref fault))
        {
            fault.Set(DeadLetterReason.Malformed, "the payload is empty", -1);
            return;
        }

        string[] names = new string[cells.Count];
        for (int i = 0; i < names.Length; i++)
        {
            names[i] = target.Pooled(cells.Bytes(bytes, i, target.Buffer).Trim((byte)' '));
        }

        while (fault.Ok && cells.TryReadRow(bytes, ref at, ref fault))
        {
            if (cells.Count > names.Length)
            {
                fault.Set(DeadLetterReason.Malformed, "a row has more cells than the header", at);
                return;
            }

            ReadRow(bytes, cells, names, target, ref fault);
        }
    }

    private static void ReadRow(ReadOnlySpan<byte> bytes, CsvCells cells, string[] names, MeasurementTarget target, ref DecodeFault fault)
    {
        var scope = target.Scope;
        int time = -1, sensor = -1;
        for (int i = 0; i < cells.Count; i++)
        {
            var cell = cells.Bytes(bytes, i, target.Buffer).Trim((byte)' ');
            if (time < 0 && MeasurementNames.IsTime(names[i]) && MeasurementNames.TryTime(cell, out long ticks))
            {
                (time, scope) = (i, scope with { Time = Ticks.ToTime(ticks) });
            }
            else if (sensor < 0 && MeasurementNames.IsSensor(names[i]) && !cell.IsEmpty)
            {
                (sensor, scope) = (i, scope with { Sensor = target.Pooled(cell) });
            }
        }

        for (int i = 0; i < cells.Count && fault.Ok; i++)
        {
            var cell = cells.Bytes(bytes, i, target.Buffer).Trim((byte)' ');
            if (i != time && i != sensor && !cell.IsEmpty)
            {
                AddText(in scope, names[i], cell, target, ref fault);
            }
        }
    }

    internal static void ReadLines(ReadOnlySpan<byte> bytes, MeasurementTarget target, ref DecodeFault fault)
    {
        bool any = false;
        foreach (var range in bytes.Split((byte)'\n'))
        {
            var line = bytes[range].Trim(" \t\r"u8);
            if (!line.IsEmpty && line[0] != '#' && fault.Ok)
            {
                any = true;
                ReadLine(line, target, ref fault);
            }
        }

        if (!any)
        {
            fault.Set(DeadLetterReason.Malformed, "the payload is empty", -1);
        }
    }

    // measurement[,tag=value...] field=value[,field=value...] [timestamp]
    private static void ReadLine(ReadOnlySpan<byte> line, MeasurementTarget target, ref DecodeFault fault)
    {
        int fields = FindUnescaped(line, 0, (byte)' ', (byte)' ');
        int tags = FindUnescaped(line, 0, (byte)',', (byte)' ');
        if (fields <= 0)
        {
            fault.Set(DeadLetterReason.Malformed, "a line has no fields", -1);
            return;
        }

        string measurement = Unescape(line[..(tags > 0 ? tags : fields)], target);
        int times = FindOutsideQuotes(line, fields + 1, (byte)' ');
        var scope = target.Scope with { Sensor = measurement };
        bool hasSensor = false;
        for (int at = tags; at > 0 && at < fields && line[at] == ',';)
        {
            int equals = FindUnescaped(line, at + 1, (byte)'=', (byte)' ');
            int end = FindUnescaped(line, at + 1, (byte)',', (byte)' ');
            end = end < 0 ? fields : end;
            if (equals < 0 || equals > end)
            {
                fault.Set(DeadLetterReason.Malformed, "a tag has no value", at);
                return;
            }

            if (!hasSensor && MeasurementNames.IsSensor(Unescape(line[(at + 1)..equals], target)))
            {
                (hasSensor, scope) = (true, scope with { Sensor = Unescape(line[(equals + 1)..end], target) });
            }

            at = end;
        }

        if (times > 0 && !TryTime(line[(times + 1)..].Trim((byte)' '), ref scope))
        {
            fault.Set(DeadLetterReason.Malformed, "the time is not a number", times);
            return;
        }

        ReadFields(line[(fields + 1)..(times > 0 ? times : line.Length)], in scope, hasSensor ? measurement : "value", target, ref fault);
    }

    private static void ReadFields(ReadOnlySpan<byte> text, in MeasurementScope scope, string valueName, MeasurementTarget target, ref DecodeFault fault)
    {
        for (int at = 0; at <= text.Length && fault.Ok;)
        {
            int end = FindOutsideQuotes(text, at, (byte)',');
            end = end < 0 ? text.Length : end;
            var field = text[at..end];
            int equals = FindUnescaped(field, 0, (byte)'=', (byte)'=');
            if (equals <= 0)
            {
                fault.Set(DeadLetterReason.Malformed, "a field has no value", at);
                return;
            }

            string name = Unescape(field[..equals], target);
            var value = field[(equals + 1)..];
            name = name == "value" ? valueName : name;
            if (value.Length > 1 && value[0] == '"' && value[^1] == '"')
            {
                AddString(in scope, name, value[1..^1], target, ref fault);
            }
            else
            {
                // A letter behind a whole number says its type.
                bool isWhole = value.Length > 1 && value[^1] is (byte)'i' or (byte)'u' && Utf8Numbers.TryParse(value[..^1], out _);
                AddText(in scope, name, isWhole ? value[..^1] : value, target, ref fault);
            }

            at = end + 1;
        }
    }

    private static void AddText(in MeasurementScope scope, string name, ReadOnlySpan<byte> text, MeasurementTarget target, ref DecodeFault fault)
    {
        if (Utf8Numbers.TryParse(text, out double number))
        {
            target.Add(in scope, name, number, null, null, null, ref fault);
        }
        else if (Ascii(text, "true"u8) || Ascii(text, "false"u8))
        {
            target.Add(in scope, name, null, null, (text[0] | 0x20) == 't', null, ref fault);
        }
        else
        {
            AddString(in scope, name, text, target, ref fault);
        }
    }

    private static void AddString(in MeasurementScope scope, string name, ReadOnlySpan<byte> text, MeasurementTarget target, ref DecodeFault fault)
    {
        if (text.Length > target.Buffer.Limits.MaxTextBytes)
        {
            fault.Set(DeadLetterReason.OutOfRange, "the text is longer than the limit", -1, name);
            return;
        }

        target.Add(in scope, name, null, Encoding.UTF8.GetString(text), null, null, ref fault);
    }

    private static bool Ascii(ReadOnlySpan<byte> text, ReadOnlySpan<byte> word) => System.Text.Ascii.EqualsIgnoreCase(text, word);

    // Nanoseconds as InfluxDB has them by default; fewer digits are told by their number.
    private static bool TryTime(ReadOnlySpan<byte> text, ref MeasurementScope scope)
    {
        if (!System.Buffers.Text.Utf8Parser.TryParse(text, out long number, out int consumed) || consumed != text.Length)
        {
            return false;
        }

        ulong size = (ulong)Math.Abs(number);
        long ticks = size >= 100_000_000_000_000_000 ? number / 100 : size >= 100_000_000_000_000 ? number * 10
            : size >= 100_000_000_000 ? number * TimeSpan.TicksPerMillisecond : number * TimeSpan.TicksPerSecond;
        if (ticks < Ticks.Min || ticks > Ticks.Max)
        {
            return false;
        }

        scope = scope with { Time = Ticks.ToTime(ticks) };
        return true;
    }

    private static string Unescape(ReadOnlySpan<byte> text, MeasurementTarget target) => text.Contains((byte)'\\')
        ? Encoding.UTF8.GetString(text).Replace("\\,", ",", StringComparison.Ordinal).Replace("\\ ", " ", StringComparison.Ordinal).Replace("\\=", "=", StringComparison.Ordinal)
        : target.Pooled(text);

    private static int FindUnescaped(ReadOnlySpan<byte> text, int from, byte wanted, byte stop)
    {
        for (int i = from; i < text.Length; i++)
        {
            if (text[i] == '\\')
            {
                i++;
            }
            else if (text[i] == wanted)
            {
                return i;
            }
            else if (text[i] == stop)
            {
                return -1;
            }
        }

        return -1;
    }

    private static int FindOutsideQuotes(ReadOnlySpan<byte> text, int from, byte wanted)
    {
        bool isQuoted = false;
        for (int i = from; i < text.Length; i++)
        {
            if (text[i] == '\\')
            {
                i++;
            }
            else if (text[i] == '"')
            {
                isQuoted = !isQuoted;
            }
            else if (text[i] == wanted && !isQuoted)
            {
                return i;
            }
        }

        return -1;
    }
}
