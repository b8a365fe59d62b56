namespace IoT.Cep;

/// <summary>How a line falls into its parts.</summary>
internal ref partial struct LineFieldReader
{
    private int TakeMeasurement()
    {
        int stop = TakeName((byte)',', (byte)' ', (byte)' ');
        _kind = Kind.Measurement;
        if (_length == 0 || stop is not (',' or ' '))
        {
            Malformed(_length == 0 ? "the measurement is missing" : "a line has no fields");
        }

        _step = stop == ',' ? Step.Tags : Step.Fields;
        Pass(stop);
        return _measurement;
    }

    private int TakePair(bool isTag)
    {
        if (TakeName((byte)'=', (byte)',', (byte)' ') != '=' || _length == 0)
        {
            Malformed(isTag ? "a tag needs a name and a value" : "a field needs a name and a value");
            return -1;
        }

        _kind = Kind.Tag;
        var raw = Raw;
        int field = _expected < _names.Count && _names.Is(_expected, raw) ? _expected : _names.Find(Unescaped());
        _expected = field >= 0 ? field + 1 : _expected;
        _at++;
        int stop = isTag ? TakeName((byte)',', (byte)' ', (byte)' ') : TakeValue();
        if (Ok && (_length == 0 && _kind != Kind.String))
        {
            Malformed("a value is empty");
        }

        if (isTag)
        {
            if (stop is not (',' or ' '))
            {
                Malformed("a line has no fields");
            }

            _step = stop == ',' ? Step.Tags : Step.Fields;
        }
        else
        {
            _step = stop switch
            {
                ',' => Step.Fields,
                ' ' => Step.Time,
                _ => Step.Done,
            };
        }

        Pass(stop);
        return field;
    }

    private int TakeTime()
    {
        int end = _bytes[_at..].IndexOf((byte)'\n');
        end = end < 0 ? _bytes.Length : _at + end;
        var text = _bytes[_at..end];
        int leading = text.Length - text.TrimStart(" \t"u8).Length;
        _start = _at + leading;
        _length = text.Trim(" \t\r"u8).Length;
        _kind = Kind.Time;
        _at = end;
        _step = Step.Done;
        if (_length == 0)
        {
            return -1;
        }

        if (Utf8Numbers.Scan(Raw, out _) != _length)
        {
            Malformed("the timestamp is not a whole number");
        }

        return _names.Schema.TimeIndex;
    }

    /// <summary>Takes a name or a tag's value up to what ends it, which is not taken; -1 at the payload's end.</summary>
    private int TakeName(byte first, byte second, byte third)
    {
        _start = _at;
        while (_at < _bytes.Length)
        {
            int next = _bytes[_at..].IndexOfAny([first, second, third, (byte)'\\', (byte)'\n']);
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
            _at += _at + 1 < _bytes.Length && _bytes[_at + 1] is (byte)',' or (byte)'=' or (byte)' ' ? 2 : 1;
        }

        _at = Math.Min(_at, _bytes.Length);
        _length = _at - _start;
        return -1;
    }

    private int TakeValue()
    {
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
