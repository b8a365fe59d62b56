using System.Globalization;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Walks through JSON of any shape. An object is looked at twice: for the sensor and time that hold in it, and for its values.</summary>
internal ref struct MeasurementJson(ReadOnlySpan<byte> bytes, MeasurementTarget target)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private readonly MeasurementTarget _target = target;
    private JsonScanner _json = new(bytes, target.Buffer.MaxDepth);

    /// <summary>Whether all members of the first object are SenML's, or it is the wrapper from before the RFC.</summary>
    internal static bool IsSenMl(ReadOnlySpan<byte> text)
    {
        var json = new JsonScanner(text, 8);
        bool isArray = json.Peek() == '[';
        if (isArray)
        {
            json.Take();
        }

        if (json.Peek() != '{')
        {
            return false;
        }

        json.Take();
        bool isFirst = true, hasValue = false, hasBase = false;
        while (json.MoveNext((byte)'}', ref isFirst) && json.TryName(out var name))
        {
            var label = json.Slice(name);
            if (!isArray && label.SequenceEqual("e"u8))
            {
                return json.Peek() == '[';
            }

            hasValue |= label.SequenceEqual("v"u8) || label.SequenceEqual("vs"u8) || label.SequenceEqual("vb"u8) || label.SequenceEqual("vd"u8) || label.SequenceEqual("s"u8);
            hasBase |= label.SequenceEqual("bn"u8) || label.SequenceEqual("n"u8);
            bool isKnown = label.Length <= 4 && (label.SequenceEqual("bn"u8) || label.SequenceEqual("bt"u8) || label.SequenceEqual("bu"u8) || label.SequenceEqual("bv"u8) || label.SequenceEqual("bs"u8)
                || label.SequenceEqual("bver"u8) || label.SequenceEqual("n"u8) || label.SequenceEqual("u"u8) || label.SequenceEqual("v"u8) || label.SequenceEqual("vs"u8)
                || label.SequenceEqual("vb"u8) || label.SequenceEqual("vd"u8) || label.SequenceEqual("s"u8) || label.SequenceEqual("t"u8) || label.SequenceEqual("ut"u8));
            if ((!isKnown && !isArray) || (!isKnown && !label.EndsWith("_"u8)) || !json.TrySkipValue())
            {
                return false;
            }
        }

        return isArray && json.Fault.Ok && hasBase && (hasValue || json.Peek() == ',');
    }

    internal void Read(ref DecodeFault fault)
    {
        if (_json.Peek() < 0)
        {
            _json.Malformed("the payload is empty");
        }

        // One value behind the other is NDJSON, and what comes when a sender joins messages.
        while (_json.Fault.Ok && _json.Peek() >= 0)
        {
            ReadValue(_target.Scope, "", null);
        }

        fault = _json.Fault;
    }

    private void ReadValue(in MeasurementScope scope, string name, string? unit)
    {
        switch (_json.Peek())
        {
            case '{':
                ReadObject(in scope, name);
                return;
            case '[':
                ReadArray(in scope, name, unit);
                return;
            case '"':
                Add(in scope, name, null, ReadText(), null, unit);
                return;
            case 't' or 'f':
                bool value = JsonValues.Boolean(ref _json, name);
                Add(in scope, name, null, null, value, unit);
                return;
            case 'n':
                _json.TryLiteral("null"u8);
                return;
            default:
                double number = JsonValues.Number(ref _json, name);
                Add(in scope, name, number, null, null, unit);
                return;
        }
    }

    private void Add(in MeasurementScope scope, string name, double? number, string? text, bool? boolean, string? unit)
    {
        if (_json.Fault.Ok)
        {
            _target.Add(in scope, name, number, text, boolean, unit, ref _json.Fault);
        }
    }

    private void ReadArray(in MeasurementScope scope, string name, string? unit)
    {
        if (!TryOpen())
        {
            return;
        }

        bool isFirst = true;
        for (int i = 0; _json.MoveNext((byte)']', ref isFirst) && _json.Fault.Ok; i++)
        {
            // Records of an array stand for themselves; numbers of one are told apart by their places.
            bool isRecord = _json.Peek() == '{';
            ReadValue(in scope, isRecord || name.Length == 0 ? name : string.Create(CultureInfo.InvariantCulture, $"{name}[{i}]"), unit);
        }

        _json.Depth--;
    }

    private void ReadObject(in MeasurementScope outer, string prefix)
    {
        int start = _json.Position;
        var found = Look(in outer);
        _json.Position = start;
        if (!_json.Fault.Ok || !TryOpen())
        {
            return;
        }

        var scope = found.Scope;
        bool isFirst = true;
        while (_json.MoveNext((byte)'}', ref isFirst) && _json.TryName(out var key))
        {
            string name = ReadName(key);
            if (!_json.Fault.Ok)
            {
                return;
            }

            if (found.IsTaken(name, _json.Peek()))
            {
                _json.TrySkipValue();
                continue;
            }

            bool isNamed = found.Name is not null && MeasurementNames.IsValue(name);
            string own = isNamed ? found.Name! : name;
            ReadValue(in scope, prefix.Length == 0 ? own : $"{prefix}.{own}", MeasurementNames.IsValue(name) ? found.Unit : null);
        }

        _json.Depth--;
    }

    /// <summary>Finds what an object says about its values: one look at its members, without what lies in them.</summary>
    private Found Look(in MeasurementScope outer)
    {
        var found = new Found { Scope = outer };
        string? name = null, unit = null;
        bool isFirst = true, hasValue = false;
        _json.Take();
        while (_json.MoveNext((byte)'}', ref isFirst) && _json.TryName(out var key))
        {
            string label = ReadName(key);
            int next = _json.Peek();
            bool isScalar = next == '"' || JsonValues.IsNumber(next);
            hasValue |= MeasurementNames.IsValue(label);
            if (!isScalar || !_json.Fault.Ok)
            {
                _json.TrySkipValue();
            }
            else if (found.TimeLabel is null && MeasurementNames.IsTime(label))
            {
                LookAtTime(label, ref found);
            }
            else if (found.SensorLabel is null && MeasurementNames.IsSensor(label))
            {
                string sensor = ReadScalar();
                found = found with { SensorLabel = label, Scope = found.Scope with { Sensor = sensor } };
            }
            else if (next == '"' && (MeasurementNames.IsName(label) || MeasurementNames.IsUnit(label)))
            {
                string text = ReadText();
                (name, unit) = MeasurementNames.IsName(label) ? (text, unit) : (name, text);
            }
            else
            {
                _json.TrySkipValue();
            }

            if (!_json.Fault.Ok)
            {
                return found;
            }
        }

        return hasValue ? found with { Name = name, Unit = unit } : found;
    }

    private void LookAtTime(string label, ref Found found)
    {
        int start = _json.Position;
        if (!_json.TrySkipValue())
        {
            return;
        }

        // "t" may be a temperature, and "date" a text: only what is a time is one.
        var text = _bytes[start.._json.Position].Trim(" \t\r\n\""u8);
        if (MeasurementNames.TryTime(text, out long ticks))
        {
            found = found with { TimeLabel = label, Scope = found.Scope with { Time = Ticks.ToTime(ticks) } };
        }
    }

    private bool TryOpen()
    {
        if (++_json.Depth > _json.MaxDepth)
        {
            _json.Fault.Set(DeadLetterReason.TooDeep, "it is nested deeper than the limit", _json.Position);
            return false;
        }

        _json.Take();
        return true;
    }

    private string ReadName(JsonText text) => JsonValues.TryBytes(ref _json, text, _target.Buffer, null, out var utf8) ? _target.Pooled(utf8) : "";

    private string ReadText() => _json.TryString(out var text) ? ReadName(text) : "";

    private string ReadScalar()
    {
        if (_json.Peek() == '"')
        {
            return ReadText();
        }

        return _json.TryNumber(out _, out var number) ? Encoding.ASCII.GetString(number) : "";
    }

    private readonly record struct Found
    {
        internal MeasurementScope Scope { get; init; }

        internal string? TimeLabel { get; init; }

        internal string? SensorLabel { get; init; }

        internal string? Name { get; init; }

        internal string? Unit { get; init; }

        /// <summary>Whether a member has said something about the others and is no value itself.</summary>
        internal bool IsTaken(string label, int first) =>
            label == TimeLabel || label == SensorLabel || (first == '"' && ((Name is not null && MeasurementNames.IsName(label)) || (Unit is not null && MeasurementNames.IsUnit(label))));
    }
}
