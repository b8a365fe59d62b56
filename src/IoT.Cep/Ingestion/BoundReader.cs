using System.Runtime.CompilerServices;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A payload format's reader, as the library's own are: it can be told a failure with its words.</summary>
internal interface IPayloadReader : IFieldReader
{
    /// <summary>Remembers the first failure.</summary>
    /// <param name="reason">What kind of failure.</param>
    /// <param name="what">What was wrong.</param>
    /// <param name="name">The field's name.</param>
    void Fail(DeadLetterReason reason, string what, string name);
}

/// <summary>
/// Hands over what a message brings beside its body, then the body's fields but for those: so that a device whose topic was authorised can't say in the body that it
/// is another. Used only where there is such a thing, since it costs the body's reader a call more for each field.
/// </summary>
internal ref struct BoundReader<TReader>(TReader inner, MetadataBinding binding, StringPool strings) : IFieldReader
    where TReader : struct, IPayloadReader, allows ref struct
{
    private const string NotANumber = "value is not a number";
    private const string NotWhole = "value is not a whole number";
    private const string NotATime = "value is not a time: give ISO 8601 or a number since 1970";
    private const string NotABoolean = "value is neither true nor false";

    internal TReader Inner = inner;
    private int _source = -1;
    private Step _step;
    private bool _hasTime;

    private enum Step : byte
    {
        Beside,
        Body,
        Otherwise,
    }

    public bool Ok => Inner.Ok;

    public bool Next(out int field)
    {
        if (_step == Step.Beside)
        {
            if (Ok && ++_source < binding.Count)
            {
                field = binding.Field(_source);
                return true;
            }

            _step = Step.Body;
        }

        if (_step == Step.Body)
        {
            while (Inner.Next(out field))
            {
                if ((binding.Mask & (1UL << field)) == 0)
                {
                    _hasTime |= field == binding.Otherwise;
                    return true;
                }
            }

            _step = Step.Otherwise;
            if (Ok && binding.Otherwise >= 0 && !_hasTime && (binding.Mask & (1UL << binding.Otherwise)) == 0)
            {
                field = binding.Otherwise;
                return true;
            }
        }

        field = -1;
        return false;
    }

    public double Number()
    {
        if (_step == Step.Body)
        {
            return Inner.Number();
        }

        if (!TryText(NotANumber, out var text))
        {
            return 0;
        }

        if (!Utf8Numbers.TryParse(text, out double value))
        {
            bool isNumber = text.Length > 0 && Utf8Numbers.Scan(text, out _) == text.Length;
            Wrong(isNumber ? DeadLetterReason.OutOfRange : DeadLetterReason.WrongType, NotANumber);
        }

        return value;
    }

    public long Integer()
    {
        if (_step == Step.Body)
        {
            return Inner.Integer();
        }

        if (!TryText(NotWhole, out var text))
        {
            return 0;
        }

        if (text.Length == 0 || Utf8Numbers.Scan(text, out var number) != text.Length)
        {
            Wrong(DeadLetterReason.WrongType, NotWhole);
            return 0;
        }

        if (!Utf8Numbers.TryToInteger(in number, out long value, out bool isWhole))
        {
            Wrong(isWhole ? DeadLetterReason.OutOfRange : DeadLetterReason.WrongType, NotWhole);
        }

        return value;
    }

    public string Text()
    {
        if (_step == Step.Body)
        {
            return Inner.Text();
        }

        return TryText("value is not text", out var text) ? strings.Get(text) : "";
    }

    public long Time()
    {
        if (_step == Step.Body)
        {
            return Inner.Time();
        }

        if (_step == Step.Otherwise)
        {
            return binding.Received;
        }

        if (binding.IsTime(_source))
        {
            return binding.Time(_source);
        }

        if (!TryText(NotATime, out var text))
        {
            return 0;
        }

        var result = Utf8Times.ParseAny(text, out long ticks);
        if (result != TimeResult.Ok)
        {
            Wrong(result == TimeResult.OutOfRange ? DeadLetterReason.OutOfRange : DeadLetterReason.WrongType, NotATime);
        }

        return result == TimeResult.Ok ? ticks : 0;
    }

    public bool Boolean()
    {
        if (_step == Step.Body)
        {
            return Inner.Boolean();
        }

        if (!TryText(NotABoolean, out var text))
        {
            return false;
        }

        bool isTrue = text.SequenceEqual("1"u8) || Ascii.EqualsIgnoreCase(text, "true"u8);
        if (!isTrue && !text.SequenceEqual("0"u8) && !Ascii.EqualsIgnoreCase(text, "false"u8))
        {
            Wrong(DeadLetterReason.WrongType, NotABoolean);
        }

        return isTrue;
    }

    public bool IsNull() => _step == Step.Body && Inner.IsNull();

    public void Fail(DeadLetterReason reason, int field) => Inner.Fail(reason, field);

    private bool TryText(string what, out ReadOnlySpan<byte> text)
    {
        text = default;
        if (_step == Step.Otherwise || binding.IsTime(_source))
        {
            // Only an event type written by hand asks for a time's text.
            Inner.Fail(DeadLetterReason.WrongType, "the " + what, _step == Step.Otherwise ? "time" : binding.NameOf(_source));
            return false;
        }

        if (!binding.TryUtf8(_source, out text))
        {
            Wrong(DeadLetterReason.OutOfRange, what);
            return false;
        }

        return true;
    }

    private void Wrong(DeadLetterReason reason, string what) => Inner.Fail(
        reason, $"{binding.PlaceOf(_source)} {(reason == DeadLetterReason.OutOfRange ? "value is out of range" : what)}", binding.NameOf(_source));
}

/// <summary>Reads an event, with what the message brings beside its body where there is such a thing.</summary>
internal static class BoundReading
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool TryRead<T, TReader>(ref TReader reader, MetadataBinding binding, StringPool strings, out T value)
        where T : IEvent<T>
        where TReader : struct, IPayloadReader, allows ref struct =>
        binding.IsActive ? TryReadBound(ref reader, binding, strings, out value) : T.TryRead(ref reader, out value);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool TryReadBound<T, TReader>(ref TReader reader, MetadataBinding binding, StringPool strings, out T value)
        where T : IEvent<T>
        where TReader : struct, IPayloadReader, allows ref struct
    {
        var bound = new BoundReader<TReader>(reader, binding, strings);
        bool isRead = T.TryRead(ref bound, out value);
        reader = bound.Inner;
        return isRead;
    }
}
