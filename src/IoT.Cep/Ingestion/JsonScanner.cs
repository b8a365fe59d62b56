using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text.Unicode;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A string's place in the payload, without its quotes.</summary>
internal readonly record struct JsonText(int Start, int Length, bool IsEscaped);

/// <summary>
/// Steps through JSON text by RFC 8259, strictly, and never throws: what is wrong is kept in <see cref="Fault"/>. Unlike
/// <see cref="System.Text.Json.Utf8JsonReader"/> it refuses text that is not UTF-8 wherever it stands; tests hold the two against each other.
/// </summary>
/// <remarks>
/// A scanner of our own because a device's broken payloads must cost no exception, and because whoever reads an event
/// knows which token comes next and needs neither its type nor its position recorded.
/// </remarks>
internal ref struct JsonScanner(ReadOnlySpan<byte> bytes, int maxDepth)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private int _at;

    internal DecodeFault Fault;

    internal int Position { readonly get => _at; set => _at = value; }

    /// <summary>How many containers are open around the current place; the owner counts those it opens itself.</summary>
    internal int Depth { get; set; }

    internal readonly int MaxDepth => maxDepth;

    internal readonly ReadOnlySpan<byte> Rest => _bytes[_at..];

    internal readonly ReadOnlySpan<byte> Slice(JsonText text) => _bytes.Slice(text.Start, text.Length);

    internal void Malformed(string what) => Fault.Set(DeadLetterReason.Malformed, what, _at);

    /// <summary>The next byte that is not white space, without taking it; -1 at the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int Peek()
    {
        var text = _bytes;
        int at = _at;
        return (uint)at < (uint)text.Length && text[at] > 0x20 ? text[at] : PeekPastSpace();
    }

    /// <summary>Takes the byte that was seen by <see cref="Peek"/>.</summary>
    internal void Take() => _at++;

    /// <summary>Takes this byte, or fails.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryTake(byte expected, string what)
    {
        if (Peek() != expected)
        {
            Malformed(what);
            return false;
        }

        _at++;
        return true;
    }

    /// <summary>Takes these bytes where they stand here exactly.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryTake(ReadOnlySpan<byte> expected)
    {
        if (!_bytes[_at..].StartsWith(expected))
        {
            return false;
        }

        _at += expected.Length;
        return true;
    }

    /// <summary>
    /// Moves to the next member of an object or element of an array: takes the comma, except before the first, and the
    /// closing bracket. False at the end and on failure.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool MoveNext(byte close, ref bool isFirst)
    {
        int next = Peek();
        if (next == close)
        {
            _at++;
            return false;
        }

        if (isFirst)
        {
            isFirst = false;
            return true;
        }

        if (next != ',')
        {
            Malformed("a comma or a closing bracket is missing");
            return false;
        }

        _at++;
        return true;
    }

    /// <summary>Takes a member's name and its colon.</summary>
    internal bool TryName(out JsonText name) => TryString(out name) && TryTake((byte)':', "a colon is missing");

    /// <summary>Takes a string.</summary>
    internal bool TryString(out JsonText text)
    {
        if (Peek() != '"')
        {
            text = default;
            Malformed("a string is missing");
            return false;
        }

        int start = ++_at;
        bool escaped = false;
        uint high = 0;
        while (true)
        {
            int stop = FindStop(ref high);
            if (stop == '"')
            {
                break;
            }

            if (stop != '\\' || !TryEscape())
            {
                Malformed(stop < 0 ? "the payload ends within a string" : "a string holds a control character or a wrong escape");
                text = default;
                return false;
            }

            escaped = true;
        }

        text = new JsonText(start, _at - start, escaped);
        if (high != 0 && !Utf8.IsValid(_bytes[start.._at]))
        {
            _at = start;
            Malformed("a string is not UTF-8");
            return false;
        }

        _at++;
        return true;
    }

    /// <summary>Takes a number; the text is what it was made of.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryNumber(out DecimalNumber number, out ReadOnlySpan<byte> text)
    {
        var rest = _bytes[_at..];
        int length = Utf8Numbers.Scan(rest, out number);
        text = rest[..length];
        if (length == 0)
        {
            Malformed("a number is malformed");
            return false;
        }

        _at += length;
        return true;
    }

    /// <summary>Takes <c>true</c>, <c>false</c> or <c>null</c>.</summary>
    internal bool TryLiteral(ReadOnlySpan<byte> literal)
    {
        if (TryTake(literal))
        {
            return true;
        }

        Malformed("a value is malformed");
        return false;
    }

    /// <summary>Takes a value of any kind and checks that it is well-formed.</summary>
    internal bool TrySkipValue()
    {
        switch (Peek())
        {
            case '"':
                return TryString(out _);
            case 't':
                return TryLiteral("true"u8);
            case 'f':
                return TryLiteral("false"u8);
            case 'n':
                return TryLiteral("null"u8);
            case '{' or '[':
                return TrySkipContainer();
            case -1:
                Malformed("the payload is cut off");
                return false;
            default:
                return TryNumber(out _, out _);
        }
    }

    /// <summary>After a value: whether a line's end follows and behind it another value. Two values in one line are a failure.</summary>
    internal bool MoveNextLine()
    {
        while (_at < _bytes.Length && _bytes[_at] is (byte)' ' or (byte)'\t' or (byte)'\r')
        {
            _at++;
        }

        if (_at < _bytes.Length && _bytes[_at] != '\n')
        {
            Malformed("a line holds more than one value");
        }

        return Fault.Ok && Peek() >= 0;
    }

    /// <summary>Checks that nothing but white space follows.</summary>
    internal bool TryEnd()
    {
        if (Peek() >= 0)
        {
            Malformed("something follows the end");
            return false;
        }

        return true;
    }

    // A bit for each open container, set for objects: no recursion, so depth costs no stack.
    private bool TrySkipContainer()
    {
        ulong kinds = 0;
        int depth = 0;
        bool isFirst = true;
        do
        {
            if (depth > 0 && !MoveNext((kinds & 1) != 0 ? (byte)'}' : (byte)']', ref isFirst))
            {
                if (!Fault.Ok)
                {
                    return false;
                }

                depth--;
                kinds >>= 1;
                isFirst = false;
                continue;
            }

            if (depth > 0 && (kinds & 1) != 0 && !TryName(out _))
            {
                return false;
            }

            int next = Peek();
            if (next is '{' or '[')
            {
                if (Depth + ++depth > maxDepth)
                {
                    Fault.Set(DeadLetterReason.TooDeep, "it is nested too deep", _at);
                    return false;
                }

                _at++;
                kinds = (kinds << 1) | (next == '{' ? 1UL : 0);
                isFirst = true;
            }
            else if (!TrySkipValue())
            {
                return false;
            }
        }
        while (depth > 0);
        return true;
    }

    // Moves to the next quote, backslash or control character and gives it; -1 at the end.
    private int FindStop(ref uint high)
    {
        ref byte start = ref MemoryMarshal.GetReference(_bytes);
        int at = _at, length = _bytes.Length;
        while (at <= length - Vector128<byte>.Count)
        {
            var block = Vector128.LoadUnsafe(ref start, (nuint)at);
            uint stops = (Vector128.Equals(block, Vector128.Create((byte)'"'))
                | Vector128.Equals(block, Vector128.Create((byte)'\\'))
                | Vector128.LessThan(block, Vector128.Create((byte)0x20))).ExtractMostSignificantBits();
            uint nonAscii = block.ExtractMostSignificantBits();
            if (stops != 0)
            {
                high |= nonAscii & (stops ^ (stops - 1));
                _at = at + BitOperations.TrailingZeroCount(stops);
                return _bytes[_at];
            }

            high |= nonAscii;
            at += Vector128<byte>.Count;
        }

        for (; at < length; at++)
        {
            byte b = _bytes[at];
            if (b is (byte)'"' or (byte)'\\' or < 0x20)
            {
                _at = at;
                return b;
            }

            high |= b & 0x80u;
        }

        _at = at;
        return -1;
    }

    private bool TryEscape()
    {
        int kind = _at + 1 < _bytes.Length ? _bytes[_at + 1] : -1;
        if (kind == 'u')
        {
            if (_bytes.Length - _at < 6 || JsonEscapes.Hex(_bytes.Slice(_at + 2, 4)) < 0)
            {
                return false;
            }

            _at += 6;
            return true;
        }

        _at += 2;
        return kind is '"' or '\\' or '/' or 'b' or 'f' or 'n' or 'r' or 't';
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int PeekPastSpace()
    {
        while (_at < _bytes.Length)
        {
            byte b = _bytes[_at];
            if (b is not ((byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t'))
            {
                return b;
            }

            _at++;
        }

        return -1;
    }
}
