using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Reads a SenML pack into its records, base values applied: RFC 8428, sections 4.1 to 4.6.</summary>
internal ref struct SenMlParser(ReadOnlySpan<byte> bytes, PayloadBuffer buffer, SenMlMode mode, long receivedTicks)
{
    // RFC 8428, section 4.5.3: a smaller time is relative to now, so that a device without a clock can tell an age.
    private const long FirstAbsoluteTicks = (1L << 28) * TimeSpan.TicksPerSecond;

    // RFC 8428, section 4.4: the version that the RFC itself defines.
    private const long Version = 10;

    private JsonText _baseName;
    private JsonText _baseUnit;
    private double _baseValue;
    private double _baseSum;
    private long _baseTicks;

    internal JsonScanner Json = new(bytes, buffer.MaxDepth);

    internal readonly bool Ok => Json.Fault.Ok;

    /// <summary>Reads the whole payload; false where it is refused.</summary>
    internal bool TryRead(SenMlEntries entries)
    {
        entries.Clear();
        if (mode == SenMlMode.Lenient && Json.Peek() == '{')
        {
            ReadWrapper(entries);
        }
        else if (Json.Peek() == '[')
        {
            ReadPack(entries, isWrapped: false);
        }
        else if (Json.TrySkipValue())
        {
            Json.Fault.Set(DeadLetterReason.WrongType, "a SenML pack is an array", 0);
        }

        return Ok && Json.TryEnd();
    }

    /// <summary>A name, unit or text without escapes.</summary>
    internal bool TryBytes(JsonText text, out ReadOnlySpan<byte> utf8) =>
        JsonValues.TryBytes(ref Json, text, buffer, null, out utf8);

    private void ReadPack(SenMlEntries entries, bool isWrapped)
    {
        Json.Take();
        bool isFirst = true;
        while (Json.MoveNext((byte)']', ref isFirst))
        {
            if (entries.Count == buffer.Limits.MaxEvents)
            {
                Json.Fault.Set(DeadLetterReason.TooLarge, "the payload holds more records than the limit", Json.Position);
                return;
            }

            ref var entry = ref entries.Add();
            if (!TryReadRecord(ref entry, isWrapped))
            {
                return;
            }

            if (entry.IsBaseOnly)
            {
                entries.TakeBack();
            }
            else if (!isWrapped)
            {
                Resolve(ref entry);
            }
        }
    }

    // Before the RFC, the base values stood around the records, in any order.
    private void ReadWrapper(SenMlEntries entries)
    {
        Json.Take();
        bool isFirst = true;
        uint seen = 0;
        while (Json.MoveNext((byte)'}', ref isFirst))
        {
            Json.Depth = 1;
            var label = ReadLabel(ref seen);
            switch (label)
            {
                case SenMlLabel.Entries when Json.Peek() == '[':
                    ReadPack(entries, isWrapped: true);
                    break;
                case SenMlLabel.Entries:
                    Json.Fault.Set(DeadLetterReason.WrongType, "the value is not an array", Json.Position, "e");
                    break;
                default:
                    if (!TryReadBase(label, isWrapped: true) && Ok)
                    {
                        Json.TrySkipValue();
                    }

                    break;
            }

            if (!Ok)
            {
                return;
            }
        }

        foreach (ref var entry in entries.Span)
        {
            entry.BaseName = _baseName;
            Resolve(ref entry);
        }
    }

    private bool TryReadRecord(ref SenMlEntry entry, bool isWrapped)
    {
        entry = default;
        entry.UpdateTicks = -1;
        if (Json.Peek() != '{')
        {
            if (Json.TrySkipValue())
            {
                Json.Fault.Set(DeadLetterReason.WrongType, "a SenML record is an object", Json.Position);
            }

            return false;
        }

        Json.Take();
        Json.Depth = isWrapped ? 3 : 2;
        bool isFirst = true;
        uint seen = 0;
        while (Json.MoveNext((byte)'}', ref isFirst))
        {
            var label = ReadLabel(ref seen);
            bool isRead = Ok && (label < SenMlLabel.Name ? !isWrapped && TryReadBase(label, false) : TryReadOwn(label, ref entry, isWrapped));
            if (!isRead && (!Ok || !Json.TrySkipValue()))
            {
                return false;
            }
        }

        const uint OwnLabels = 1u << (int)SenMlLabel.Name | 1u << (int)SenMlLabel.Time | 1u << (int)SenMlLabel.Unit;
        if (Ok && entry.IsBaseOnly && (seen & OwnLabels) != 0)
        {
            Json.Fault.Set(DeadLetterReason.MissingField, "a record has neither a value nor a sum", Json.Position);
        }

        entry.BaseName = _baseName;
        return Ok;
    }

    private SenMlLabel ReadLabel(ref uint seen)
    {
        var label = Json.Peek() == '"' ? SenMlLabels.TakeShort(ref Json) : SenMlLabel.Unknown;
        if (label == SenMlLabel.Unknown)
        {
            label = ReadLongLabel();
        }

        uint bit = 1u << (int)label;
        if ((seen & bit) != 0 && label != SenMlLabel.Unknown)
        {
            Json.Fault.Set(DeadLetterReason.DuplicateField, "a label stands twice in a record", Json.Position, SenMlLabels.Name(label));
        }

        seen |= bit;
        return label;
    }

    private SenMlLabel ReadLongLabel()
    {
        if (!Json.TryName(out var name) || !JsonValues.TryUnescape(ref Json, name, buffer, null, out var text))
        {
            return SenMlLabel.Unknown;
        }

        var label = SenMlLabels.Find(text);

        // RFC 8428, section 4.4: what ends in an underscore must be understood.
        if (label == SenMlLabel.Unknown && text.Length > 0 && text[^1] == '_' && mode == SenMlMode.Strict)
        {
            Json.Fault.Set(DeadLetterReason.UnknownTopic, "a label must be understood and is not", name.Start, SafeText.Escape(text, 64));
        }

        return label;
    }

    // Gives false, without a failure, for what is not read here.
    private bool TryReadBase(SenMlLabel label, bool isWrapped)
    {
        switch (label)
        {
            case SenMlLabel.BaseName:
                return SenMlValues.TryName(ref Json, buffer, mode, out _baseName, "bn");
            case SenMlLabel.BaseUnit:
                return SenMlValues.TryText(ref Json, out _baseUnit, "bu");
            case SenMlLabel.BaseTime:
                return SenMlValues.TryTicks(ref Json, mode, out _baseTicks, isWrapped, "bt");
            case SenMlLabel.BaseValue:
                return SenMlValues.TryNumber(ref Json, mode, out _baseValue, out _, "bv");
            case SenMlLabel.BaseSum:
                return SenMlValues.TryNumber(ref Json, mode, out _baseSum, out _, "bs");
            case SenMlLabel.BaseVersion:
                if (SenMlValues.TryNumber(ref Json, mode, out double version, out _, "bver") && version is not (>= 1 and <= Version))
                {
                    Json.Fault.Set(DeadLetterReason.UnknownTopic, "the version is not one that can be read", Json.Position, "bver");
                }

                return Ok;
            default:
                return false;
        }
    }

    private bool TryReadOwn(SenMlLabel label, ref SenMlEntry entry, bool isWrapped)
    {
        switch (label)
        {
            case SenMlLabel.Name:
                return SenMlValues.TryName(ref Json, buffer, mode, out entry.Name, "n");
            case SenMlLabel.Unit:
                return SenMlValues.TryText(ref Json, out entry.Unit, "u");
            case SenMlLabel.Time:
                return SenMlValues.TryTicks(ref Json, mode, out entry.Ticks, isWrapped, "t");
            case SenMlLabel.Value:
                return SetKind(ref entry, SenMlValueKind.Number) && SenMlValues.TryNumber(ref Json, mode, out entry.Number, out entry.Text, "v");
            case SenMlLabel.Text:
                return SetKind(ref entry, SenMlValueKind.Text) && SenMlValues.TryText(ref Json, out entry.Text, "vs");
            case SenMlLabel.OldText when mode == SenMlMode.Lenient:
                return SetKind(ref entry, SenMlValueKind.Text) && SenMlValues.TryText(ref Json, out entry.Text, "sv");
            case SenMlLabel.Boolean:
                entry.Number = SetKind(ref entry, SenMlValueKind.Boolean) && JsonValues.Boolean(ref Json, "vb") ? 1 : 0;
                return Ok;
            case SenMlLabel.Data:
                return SetKind(ref entry, SenMlValueKind.Data) && SenMlValues.TryData(ref Json, out entry.Text);
            case SenMlLabel.Sum:
                entry.HasSum = SenMlValues.TryNumber(ref Json, mode, out entry.Sum, out _, "s");
                return entry.HasSum;
            case SenMlLabel.UpdateTime:
                return SenMlValues.TryTicks(ref Json, mode, out entry.UpdateTicks, isWrapped, "ut");
            default:
                return false;
        }
    }

    private bool SetKind(ref SenMlEntry entry, SenMlValueKind kind)
    {
        if (entry.Kind != SenMlValueKind.None)
        {
            Json.Fault.Set(DeadLetterReason.DuplicateField, "a record has more than one value", Json.Position);
            return false;
        }

        entry.Kind = kind;
        return true;
    }

    private void Resolve(ref SenMlEntry entry)
    {
        // Both are less than 10,000 years, so that the sum fits.
        long ticks = _baseTicks + entry.Ticks;
        ticks += ticks < FirstAbsoluteTicks ? receivedTicks : 0;
        if (ticks < Ticks.Min || ticks > Ticks.Max)
        {
            Json.Fault.Set(DeadLetterReason.OutOfRange, "the time is out of range", Json.Position, "t");
        }

        entry.Ticks = ticks;
        entry.Unit = entry.Unit.Length == 0 ? _baseUnit : entry.Unit;
        if (entry.Kind == SenMlValueKind.Number)
        {
            entry.Number += _baseValue;
            entry.Text = _baseValue == 0 ? entry.Text : default;
        }

        entry.Sum += _baseSum;
        if (!double.IsFinite(entry.Number) || !double.IsFinite(entry.Sum))
        {
            Json.Fault.Set(DeadLetterReason.OutOfRange, "the value is out of range", Json.Position, "v");
        }

        CheckName(in entry);
    }

    private void CheckName(in SenMlEntry entry)
    {
        var first = entry.BaseName.Length > 0 ? entry.BaseName : entry.Name;
        if (first.Length == 0)
        {
            Json.Fault.Set(DeadLetterReason.MissingField, "a record has no name", Json.Position, "n");
        }
        else if (mode == SenMlMode.Strict && !first.IsEscaped && !char.IsAsciiLetterOrDigit((char)Json.Slice(first)[0]))
        {
            Json.Fault.Set(DeadLetterReason.Malformed, "a name must begin with a letter or a digit", first.Start, "n");
        }
    }
}
