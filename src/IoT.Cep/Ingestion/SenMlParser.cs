using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Reads a SenML pack into its records, base values applied: RFC 8428, sections 4.1 to 4.6, whatever form it is written in.</summary>
internal ref struct SenMlParser<TWire>(TWire wire, SenMlMode mode, int maxRecords, long receivedTicks)
    where TWire : struct, ISenMlWire, allows ref struct
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

    internal TWire Wire = wire;

    internal bool Ok => Wire.Ok;

    /// <summary>Reads the whole payload; false where it is refused.</summary>
    internal bool TryRead(SenMlEntries entries)
    {
        entries.Clear();
        if (mode == SenMlMode.Lenient && Wire.TryBegin(SenMlLevel.Wrapper, out long state))
        {
            ReadWrapper(entries, state);
        }
        else if (Wire.TryBegin(SenMlLevel.Pack, out state))
        {
            ReadPack(entries, state, isWrapped: false);
        }

        return Ok && Wire.TryEnd();
    }

    private void ReadPack(SenMlEntries entries, long state, bool isWrapped)
    {
        while (Wire.MoveNext(SenMlLevel.Pack, ref state))
        {
            if (entries.Count == maxRecords)
            {
                Wire.Fail(DeadLetterReason.TooLarge, "the payload holds more records than the limit", Wire.Position);
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
    private void ReadWrapper(SenMlEntries entries, long state)
    {
        uint seen = 0;
        while (Wire.MoveNext(SenMlLevel.Wrapper, ref state))
        {
            var label = ReadLabel(ref seen);
            if (label == SenMlLabel.Entries)
            {
                if (Wire.TryBegin(SenMlLevel.Pack, out long pack))
                {
                    ReadPack(entries, pack, isWrapped: true);
                }
            }
            else if (!TryReadBase(label) && Ok)
            {
                Wire.TrySkipValue();
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
        if (!Wire.TryBegin(SenMlLevel.Record, out long state))
        {
            return false;
        }

        uint seen = 0;
        while (Wire.MoveNext(SenMlLevel.Record, ref state))
        {
            var label = ReadLabel(ref seen);
            bool isRead = Ok && (label < SenMlLabel.Name ? !isWrapped && TryReadBase(label) : TryReadOwn(label, ref entry));
            if (!isRead && (!Ok || !Wire.TrySkipValue()))
            {
                return false;
            }
        }

        const uint OwnLabels = 1u << (int)SenMlLabel.Name | 1u << (int)SenMlLabel.Time | 1u << (int)SenMlLabel.Unit;
        if (Ok && entry.IsBaseOnly && (seen & OwnLabels) != 0)
        {
            Wire.Fail(DeadLetterReason.MissingField, "a record has neither a value nor a sum", Wire.Position);
        }

        entry.BaseName = _baseName;
        return Ok;
    }

    private SenMlLabel ReadLabel(ref uint seen)
    {
        var label = Wire.ReadLabel();
        uint bit = 1u << (int)label;
        if ((seen & bit) != 0 && label != SenMlLabel.Unknown)
        {
            Wire.Fail(DeadLetterReason.DuplicateField, "a label stands twice in a record", Wire.Position, SenMlLabels.Name(label));
        }

        seen |= bit;
        return label;
    }

    // Gives false, without a failure, for what is not read here.
    private bool TryReadBase(SenMlLabel label)
    {
        switch (label)
        {
            case SenMlLabel.BaseName:
                return TryName(out _baseName, "bn");
            case SenMlLabel.BaseUnit:
                return Wire.TryText(out _baseUnit, "bu");
            case SenMlLabel.BaseTime:
                return Wire.TryTicks(out _baseTicks, "bt");
            case SenMlLabel.BaseValue:
                return Wire.TryNumber(out _baseValue, out _, "bv");
            case SenMlLabel.BaseSum:
                return Wire.TryNumber(out _baseSum, out _, "bs");
            case SenMlLabel.BaseVersion:
                if (Wire.TryNumber(out double version, out _, "bver") && version is not (>= 1 and <= Version))
                {
                    Wire.Fail(DeadLetterReason.UnknownTopic, "the version is not one that can be read", Wire.Position, "bver");
                }

                return Ok;
            default:
                return false;
        }
    }

    private bool TryReadOwn(SenMlLabel label, ref SenMlEntry entry)
    {
        switch (label)
        {
            case SenMlLabel.Name:
                return TryName(out entry.Name, "n");
            case SenMlLabel.Unit:
                return Wire.TryText(out entry.Unit, "u");
            case SenMlLabel.Time:
                return Wire.TryTicks(out entry.Ticks, "t");
            case SenMlLabel.Value:
                return SetKind(ref entry, SenMlValueKind.Number) && Wire.TryNumber(out entry.Number, out entry.Text, "v");
            case SenMlLabel.Text:
                return SetKind(ref entry, SenMlValueKind.Text) && Wire.TryText(out entry.Text, "vs");
            case SenMlLabel.OldText when mode == SenMlMode.Lenient:
                return SetKind(ref entry, SenMlValueKind.Text) && Wire.TryText(out entry.Text, "sv");
            case SenMlLabel.Boolean:
                entry.Number = SetKind(ref entry, SenMlValueKind.Boolean) && Wire.Boolean("vb") ? 1 : 0;
                return Ok;
            case SenMlLabel.Data:
                return SetKind(ref entry, SenMlValueKind.Data) && Wire.TryData(out entry.Text, "vd");
            case SenMlLabel.Sum:
                entry.HasSum = Wire.TryNumber(out entry.Sum, out _, "s");
                return entry.HasSum;
            case SenMlLabel.UpdateTime:
                return Wire.TryTicks(out entry.UpdateTicks, "ut");
            default:
                return false;
        }
    }

    private bool TryName(out JsonText name, string label)
    {
        if (!Wire.TryText(out name, label) || !Wire.TryBytes(name, label, out var text))
        {
            return false;
        }

        if (mode == SenMlMode.Strict && text.ContainsAnyExcept(SenMlLabels.NameBytes))
        {
            Wire.Fail(DeadLetterReason.Malformed, "a name holds a character that SenML doesn't allow", name.Start, label);
        }

        return Ok;
    }

    private bool SetKind(ref SenMlEntry entry, SenMlValueKind kind)
    {
        if (entry.Kind != SenMlValueKind.None)
        {
            Wire.Fail(DeadLetterReason.DuplicateField, "a record has more than one value", Wire.Position);
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
            Wire.Fail(DeadLetterReason.OutOfRange, "the time is out of range", Wire.Position, "t");
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
            Wire.Fail(DeadLetterReason.OutOfRange, "the value is out of range", Wire.Position, "v");
        }

        CheckName(in entry);
    }

    private void CheckName(in SenMlEntry entry)
    {
        var first = entry.BaseName.Length > 0 ? entry.BaseName : entry.Name;
        if (first.Length == 0)
        {
            Wire.Fail(DeadLetterReason.MissingField, "a record has no name", Wire.Position, "n");
        }
        else if (mode == SenMlMode.Strict && Wire.TryBytes(first, "n", out var name) && !char.IsAsciiLetterOrDigit((char)name[0]))
        {
            Wire.Fail(DeadLetterReason.Malformed, "a name must begin with a letter or a digit", first.Start, "n");
        }
    }
}
