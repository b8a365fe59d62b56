namespace IoT.Cep;

/// <summary>How a line falls into its parts.</summary>
internal ref partial struct LineFieldReader
{
    private const string EmptyValue = "a value is empty";

    private int TakeMeasurement()
    {
        int stop = TakeName(LineNames.Ends);
        _kind = Kind.Measurement;
        if (_length == 0 || stop is not (',' or ' '))
        {
            Malformed(_length == 0 ? "the measurement is missing" : "a line has no fields");
        }

        _step = stop == ',' ? Step.Tags : Step.Fields;
        Pass(stop);
        return _line.Measurement;
    }

    private int TakePair(bool isTag)
    {
        int field = _line.After(_before);
        var name = _line.Assigned(field);
        if (_bytes[_at..].StartsWith(name))
        {
            _at += name.Length;
        }
        else if (!TryFind(isTag, out field))
        {
            return -1;
        }

        _before = field >= 0 ? field : _before;
        if (!isTag)
        {
            _isPending = true;
            return field;
        }

        _kind = Kind.Tag;
        int stop = TakeName(LineNames.Ends);
        if (_length == 0)
        {
            Malformed(EmptyValue);
        }
        else if (stop is not (',' or ' '))
        {
            Malformed("a line has no fields");
        }

        _step = stop == ',' ? Step.Tags : Step.Fields;
        Pass(stop);
        return field;
    }

    private bool TryFind(bool isTag, out int field)
    {
        field = -1;
        if (TakeName(LineNames.KeyEnds) != '=' || _length == 0)
        {
            Malformed(isTag ? "a tag needs a name and a value" : "a field needs a name and a value");
            return false;
        }

        _kind = Kind.Tag;
        field = _names.Find(Unescaped());
        if (field >= 0)
        {
            _line.Remember(_before, field);
        }

        _at++;
        return true;
    }

    /// <summary>Takes a field's value that nobody asked for as a number, or that is none.</summary>
    private void TakePending()
    {
        if (_isPending)
        {
            int stop = TakeValue();
            if (Ok && _length == 0 && _kind != Kind.String)
            {
                Malformed(EmptyValue);
            }

            // Who asked for the value goes on with an empty one: what failed first is told.
            _length = Ok ? _length : 0;
            _start = Ok ? _start : 0;
            EndValue(stop);
        }
    }

    /// <summary>Takes a field's value where a number stands here, without looking for its end first.</summary>
    private bool TryTakeNumber(out DecimalNumber number)
    {
        var rest = _bytes[_at..];
        int length = Utf8Numbers.Scan(rest, out number);
        int end = length < rest.Length && rest[length] is (byte)'i' or (byte)'u' ? length + 1 : length;
        int stop = end < rest.Length ? rest[end] : -1;
        if (length == 0 || stop is not (-1 or ',' or ' ' or '\n'))
        {
            return false;
        }

        (_start, _length, _kind) = (_at, length, Kind.Bare);
        _at += end;
        EndValue(stop);
        return true;
    }

    private void EndValue(int stop)
    {
        _isPending = false;
        _step = stop switch
        {
            ',' => Step.Fields,
            ' ' => Step.Time,
            _ => Step.Done,
        };
        Pass(stop);
    }

    private int TakeTime()
    {
        var rest = _bytes[_at..];
        _step = Step.Done;
        _kind = Kind.Time;
        _start = _at;
        _length = Utf8Numbers.Scan(rest, out _stamp);
        if (_length > 0 && (_length == rest.Length || rest[_length] == '\n'))
        {
            _at += _length;
            return _names.Schema.TimeIndex;
        }

        int end = rest.IndexOf((byte)'\n');
        end = end < 0 ? _bytes.Length : _at + end;
        var text = _bytes[_at..end];
        _start += text.Length - text.TrimStart(" \t"u8).Length;
        _length = text.Trim(" \t\r"u8).Length;
        _at = end;
        if (_length == 0)
        {
            return -1;
        }

        if (Utf8Numbers.Scan(Raw, out _stamp) != _length)
        {
            Malformed("the timestamp is not a whole number");
        }

        return _names.Schema.TimeIndex;
    }

    /// <summary>Takes a name or a tag's value up to what ends it, which is not taken; -1 at the payload's end.</summary>
    private int TakeName(System.Buffers.SearchValues<byte> ends)
    {
        _start = _at;
        _isEscaped = false;
        while (_at < _bytes.Length)
        {
            int next = _bytes[_at..].IndexOfAny(ends);
            if (next < 0)
            {
                _at = _bytes.Length;
                break;
            }

            _at += next;
            if (_bytes[_at] != '\\')
            {
                _length = _at - _start;
                return _bytes[_at];
            }

            // A backslash in front of what isn't special is one itself.
            _isEscaped = true;
            _at += _at + 1 < _bytes.Length && _bytes[_at + 1] is (byte)',' or (byte)'=' or (byte)' ' ? 2 : 1;
        }

        _at = Math.Min(_at, _bytes.Length);
        _length = _at - _start;
        return -1;
    }

    private int TakeValue()
    {
        _isEscaped = false;
        if (_at < _bytes.Length && _bytes[_at] == '"')
        {
            return TakeString();
        }

        _kind = Kind.Bare;
        _start = _at;
        int next = _bytes[_at..].IndexOfAny((byte)',', (byte)' ', (byte)'\n');
        _at = next < 0 ? _bytes.Length : _at + next;
        _length = _bytes[_start.._at].TrimEnd((byte)'\r').Length;
        return next < 0 ? -1 : _bytes[_at];
    }

    private int TakeString()
    {
        _kind = Kind.String;
        _start = ++_at;
        while (_at < _bytes.Length)
        {
            int next = _bytes[_at..].IndexOfAny((byte)'"', (byte)'\\');
            if (next < 0)
            {
                break;
            }

            _at += next;
            if (_bytes[_at] == '"')
            {
                _length = _at - _start;
                _at++;
                while (_at < _bytes.Length && _bytes[_at] == '\r')
                {
                    _at++;
                }

                int stop = _at < _bytes.Length ? _bytes[_at] : -1;
                if (stop is not (-1 or ',' or ' ' or '\n'))
                {
                    Malformed("something stands behind a text");
                }

                return stop;
            }

            _isEscaped = true;
            _at += _at + 1 < _bytes.Length && _bytes[_at + 1] is (byte)'"' or (byte)'\\' ? 2 : 1;
        }

        Malformed("a text has no end");
        return -1;
    }

    // Only what separates is taken; further spaces may follow it.
    private void Pass(int stop)
    {
        if (stop == ',')
        {
            _at++;
        }

        while (stop == ' ' && _at < _bytes.Length && _bytes[_at] == ' ')
        {
            _at++;
        }
    }
}
