using System.Globalization;
using Microsoft.CodeAnalysis.CSharp;

namespace IoT.Cep.Generators;

/// <summary>The C# of one member, by its shape.</summary>
internal static class MemberCode
{
    private const string OutOfRange = "reader.Fail(global::IoT.Cep.Extensibility.DeadLetterReason.OutOfRange, ";
    private const string Ticks = "global::IoT.Cep.Extensibility.Ticks.";

    /// <summary>The schema's kind.</summary>
    internal static string Kind(this MemberModel member) => member.Shape switch
    {
        ValueShape.Double or ValueShape.Single or ValueShape.Decimal => "Number",
        ValueShape.Whole or ValueShape.Int64 or ValueShape.UInt64 => "Integer",
        ValueShape.DateTimeOffset or ValueShape.DateTime => "Time",
        ValueShape.Boolean => "Boolean",
        _ => "Text",
    };

    /// <summary>The schema's initializer of what the attributes say, or nothing.</summary>
    internal static string Extras(this MemberModel member, string extensibility)
    {
        var extras = member.Extras;
        var parts = new List<string>();
        Add(extras.Origin != "Payload", $"Origin = {extensibility}FieldOrigin.{extras.Origin}");
        Add(extras.Header is not null, $"HeaderName = {Literal(extras.Header ?? "")}");
        Add(extras.IsReceivedOtherwise, "IsReceivedOtherwise = true");
        Add(extras.Number is not null, $"Number = {(extras.Number ?? 0).ToString(CultureInfo.InvariantCulture)}");
        Add(extras.Form != "Default", $"Form = {extensibility}WholeNumberForm.{extras.Form}");
        Add(extras.Unit is not null, $"Unit = {Literal(extras.Unit ?? "")}");
        Add(member.EnumNames.Count > 0, $"EnumNames = [{string.Join(", ", member.EnumNames.Select((name, i) => $"new({Whole(member.EnumValues[i])}, {Literal(name)})"))}]");
        return parts.Count == 0 ? "" : $" {{ {string.Join(", ", parts)} }}";

        void Add(bool isSaid, string part)
        {
            if (isSaid)
            {
                parts.Add(part);
            }
        }
    }

    /// <summary>The local variable that holds the value until the event is built.</summary>
    internal static string Local(this MemberModel member, int index)
    {
        string initial = member.Default ?? (member.Shape == ValueShape.Text && !member.IsNullable ? "\"\"" : "default");
        return $"{member.TypeName}{(member.IsNullable ? "?" : "")} m{index} = {initial};";
    }

    /// <summary>The statements that read the current field of a payload into the local variable.</summary>
    internal static string ReadPayload(this MemberModel member, int index)
    {
        string fail = $"{{ {OutOfRange}{index}); }}";
        string type = member.TypeName;
        return member.Shape switch
        {
            ValueShape.Double => $"m{index} = {Scaled(member)};",
            ValueShape.Single => $"double n{index} = {Scaled(member)}; float f{index} = (float)n{index}; "
                + $"if (float.IsInfinity(f{index}) && !double.IsInfinity(n{index})) {fail} m{index} = f{index};",

            // 2^96 is the first number past a decimal, and exact as a double.
            ValueShape.Decimal => $"double n{index} = {Scaled(member)}; "
                + $"if (n{index} > -79228162514264337593543950336D && n{index} < 79228162514264337593543950336D) "
                + $"{{ m{index} = (decimal)n{index}; }} else {fail}",
            ValueShape.Whole => $"long w{index} = reader.Integer(); "
                + $"if (w{index} < {type}.MinValue || w{index} > {type}.MaxValue) {fail} m{index} = unchecked(({type})w{index});",
            ValueShape.Int64 => $"m{index} = reader.Integer();",
            ValueShape.UInt64 => $"long w{index} = reader.Integer(); if (w{index} < 0) {fail} m{index} = unchecked((ulong)w{index});",
            ValueShape.Text => $"m{index} = reader.Text();",
            ValueShape.DateTimeOffset => ReadTime(index, fail, ""),
            ValueShape.DateTime => ReadTime(index, fail, ".UtcDateTime"),
            ValueShape.Boolean => $"m{index} = reader.Boolean();",
            _ => $"if (Named{index}(reader.Text(), out var e{index})) {{ m{index} = e{index}; }} else {fail}",
        };
    }

    /// <summary>The statement that hands the member over to a payload's writer.</summary>
    internal static string WritePayload(this MemberModel member, int index, string value)
    {
        if (member is { Shape: ValueShape.Text, IsNullable: true })
        {
            return $"if ({value} is {{ }} x{index}) {{ writer.Text({index}, x{index}); }} else {{ writer.Null({index}); }}";
        }

        return member.IsNullable
            ? $"if ({value}.HasValue) {{ var x{index} = {value}.GetValueOrDefault(); {Hand(member, index, "x" + index)} }} else {{ writer.Null({index}); }}"
            : Hand(member, index, value);
    }

    /// <summary>The event's time in ticks.</summary>
    internal static string ToTicks(this MemberModel member)
    {
        string time = "value.@" + member.Name;
        return Instant(member, time);
    }

    // A DateTime without a kind is UTC: what it means must not depend on the machine.
    private static string Instant(MemberModel member, string time) =>
        member.Shape == ValueShape.DateTimeOffset
            ? $"{Ticks}From({time})"
            : $"({time}.Kind == global::System.DateTimeKind.Local ? {time}.ToUniversalTime() : {time}).Ticks - global::System.DateTime.UnixEpoch.Ticks";

    /// <summary>The statement that saves the value.</summary>
    internal static string WriteState(this MemberModel member, string value)
    {
        if (!member.IsNullable || member.Shape == ValueShape.Text)
        {
            return WriteValue(member, value);
        }

        return $"writer.Boolean({value}.HasValue); if ({value}.HasValue) {{ {WriteValue(member, $"{value}.GetValueOrDefault()")} }}";
    }

    /// <summary>The expression that reads back what was saved.</summary>
    internal static string ReadState(this MemberModel member) => !member.IsNullable || member.Shape == ValueShape.Text
        ? ReadValue(member)
        : $"reader.Boolean() ? {ReadValue(member)} : default({member.TypeName}?)";

    /// <summary>The value's type as a handle's type argument, or null where a handle can't compare it.</summary>
    internal static string? HandleType(this MemberModel member) => member.Shape switch
    {
        ValueShape.Double or ValueShape.Single => "double",
        ValueShape.Enum => null,
        ValueShape.Text => "string",
        _ when member.IsNullable => null,
        _ => member.TypeName,
    };

    /// <summary>The value as a handle reads it: null is NaN there, which compares as null does.</summary>
    internal static string HandleValue(this MemberModel member, string value) => member switch
    {
        { Shape: ValueShape.Double or ValueShape.Single, IsNullable: true } => $"{value} ?? double.NaN",
        { Shape: ValueShape.Text, IsNullable: true } => value + "!",
        _ => value,
    };

    private static string Scaled(MemberModel member)
    {
        var extras = member.Extras;
        string number = "reader.Number()";
        if (extras.Scale != 1)
        {
            // Dividing by ten rounds once; 0.1 itself is already rounded.
            double inverse = 1 / extras.Scale;
            number += inverse == Math.Round(inverse) && Math.Abs(inverse) < 1e15 ? $" / {Real(inverse)}" : $" * {Real(extras.Scale)}";
        }

        return extras.Offset == 0 ? number : $"({number}) + {Real(extras.Offset)}";
    }

    private static string Hand(MemberModel member, int index, string value) => member.Shape switch
    {
        ValueShape.Double or ValueShape.Single => $"writer.Number({index}, {Unscaled(member, value)});",
        ValueShape.Decimal => $"writer.Number({index}, {Unscaled(member, $"(double){value}")});",
        ValueShape.Whole or ValueShape.Int64 => $"writer.Integer({index}, {value});",
        ValueShape.UInt64 => $"writer.Integer({index}, checked((long){value}));",
        ValueShape.Text => $"writer.Text({index}, {value} ?? \"\");",
        ValueShape.DateTimeOffset or ValueShape.DateTime => $"writer.Time({index}, {Instant(member, value)});",
        ValueShape.Boolean => $"writer.Boolean({index}, {value});",
        _ => $"writer.Text({index}, NameOf{index}({value}));",
    };

    private static string Unscaled(MemberModel member, string value)
    {
        var extras = member.Extras;
        if (!extras.IsScaled)
        {
            return value;
        }

        string number = extras.Offset == 0 ? value : $"({value} - {Real(extras.Offset)})";
        double inverse = 1 / extras.Scale;
        return extras.Scale == 1 ? number
            : inverse == Math.Round(inverse) && Math.Abs(inverse) < 1e15 ? $"{number} * {Real(inverse)}"
            : $"{number} / {Real(extras.Scale)}";
    }

    private static string Real(double value) => value < 0 ? $"({value.ToString("R", CultureInfo.InvariantCulture)}D)" : value.ToString("R", CultureInfo.InvariantCulture) + "D";

    private static string Whole(long value) => value == long.MinValue ? "long.MinValue" : value.ToString(CultureInfo.InvariantCulture) + "L";

    private static string Literal(string text) => SymbolDisplay.FormatLiteral(text, quote: true);

    private static string ReadTime(int index, string fail, string conversion) => $"long t{index} = reader.Time(); "
        + $"if (t{index} < {Ticks}Min || t{index} > {Ticks}Max) {fail} m{index} = {Ticks}ToTime(t{index}){conversion};";

    private static string WriteValue(MemberModel member, string value) => member.Shape switch
    {
        ValueShape.Double => $"writer.Double({value});",
        ValueShape.Single => $"writer.Int32(global::System.BitConverter.SingleToInt32Bits({value}));",
        ValueShape.Decimal => $"writer.Raw<decimal>({value});",
        ValueShape.Int64 => $"writer.Int64({value});",
        ValueShape.Whole or ValueShape.UInt64 or ValueShape.Enum => $"writer.Int64(unchecked((long){value}));",
        ValueShape.DateTimeOffset => $"writer.Time({value});",
        ValueShape.DateTime => $"writer.Int64({value}.Ticks); writer.Byte((byte){value}.Kind);",
        ValueShape.Boolean => $"writer.Boolean({value});",
        _ => $"writer.Text({value});",
    };

    private static string ReadValue(MemberModel member) => member.Shape switch
    {
        ValueShape.Double => "reader.Double()",
        ValueShape.Single => "global::System.BitConverter.Int32BitsToSingle(reader.Int32())",
        ValueShape.Decimal => "reader.Raw<decimal>()",
        ValueShape.Int64 => "reader.Int64()",
        ValueShape.Whole or ValueShape.UInt64 or ValueShape.Enum => $"unchecked(({member.TypeName})reader.Int64())",
        ValueShape.DateTimeOffset => "reader.Time()",
        ValueShape.DateTime => "new global::System.DateTime(reader.Int64(), (global::System.DateTimeKind)reader.Byte())",
        ValueShape.Boolean => "reader.Boolean()",
        _ => member.IsNullable ? "reader.Text()" : "reader.Text()!",
    };
}
