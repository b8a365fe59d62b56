using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The containers of SenML, from the outermost.</summary>
internal enum SenMlLevel
{
    /// <summary>The object around a pack that was sent before the RFC.</summary>
    Wrapper,

    /// <summary>The records.</summary>
    Pack,

    /// <summary>A record's labels with their values.</summary>
    Record,
}

/// <summary>
/// A form in which SenML is written: takes labels and values off the bytes and says what is wrong with them as bytes. What they mean is one reader's business
/// (<see cref="SenMlParser{TWire}"/>), so that every rule holds for both forms.
/// </summary>
internal interface ISenMlWire
{
    bool Ok { get; }

    DecodeFault Fault { get; }

    int Position { get; }

    /// <summary>Remembers the first failure.</summary>
    void Fail(DeadLetterReason reason, string what, int position, string? name = null);

    /// <summary>Opens a container; where another thing stands here, that is a failure, but for a wrapper, which need not be there.</summary>
    bool TryBegin(SenMlLevel level, out long state);

    /// <summary>Moves to the container's next element; false at its end and on failure.</summary>
    bool MoveNext(SenMlLevel level, scoped ref long state);

    /// <summary>Whether nothing stands behind the pack; otherwise that is a failure.</summary>
    bool TryEnd();

    /// <summary>Takes a label; one that must be understood and is not is a failure.</summary>
    SenMlLabel ReadLabel();

    bool TrySkipValue();

    bool TryText(out JsonText text, string label);

    /// <summary>Bytes, which are told in base64.</summary>
    bool TryData(out JsonText text, string label);

    bool TryNumber(out double value, out JsonText text, string label);

    /// <summary>Seconds, or milliseconds within a wrapper.</summary>
    bool TryTicks(out long ticks, string label);

    bool Boolean(string label);

    /// <summary>What was taken as UTF-8 text, within the limit of texts: a text without escapes, bytes in base64, a number's digits.</summary>
    bool TryBytes(JsonText text, string? name, out ReadOnlySpan<byte> utf8);

    /// <summary>What was taken as a whole number; false where it is none or too large.</summary>
    bool TryInteger(JsonText text, out long value, out bool isWhole);
}
