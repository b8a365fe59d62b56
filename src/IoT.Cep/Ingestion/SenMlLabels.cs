using System.Buffers;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The labels of RFC 8428, table 1, and those from before it. Base labels stand before <see cref="Name"/>.</summary>
internal enum SenMlLabel
{
    BaseName,
    BaseTime,
    BaseUnit,
    BaseValue,
    BaseSum,
    BaseVersion,
    Entries,
    Unknown,
    Name,
    Unit,
    Value,
    Text,
    Boolean,
    Data,
    Sum,
    Time,
    UpdateTime,
    OldText,
}

/// <summary>Labels as they are written, and what may be in names.</summary>
internal static class SenMlLabels
{
    /// <summary>RFC 8428, section 4.5.1.</summary>
    internal static readonly SearchValues<byte> NameBytes = SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-:./_"u8);

    /// <summary>RFC 8428, section 4.4: what ends in an underscore must be understood.</summary>
    internal static void CheckUnknown<TWire>(ref TWire wire, scoped ReadOnlySpan<byte> label, int position)
        where TWire : struct, ISenMlWire, allows ref struct
    {
        if (label is [.., (byte)'_'])
        {
            wire.Fail(DeadLetterReason.UnknownTopic, "a label must be understood and is not", position, SafeText.Escape(label, 64));
        }
    }

    /// <summary>Takes a label of one or two letters with its quotes and colon, as nearly all labels stand; otherwise nothing.</summary>
    internal static SenMlLabel TakeShort(ref JsonScanner json)
    {
        var text = json.Rest;
        int length = text.Length > 5 ? (text[2] == '"' ? 1 : text[3] == '"' ? 2 : 0) : 0;
        if (length == 0 || text[length + 2] != ':')
        {
            return SenMlLabel.Unknown;
        }

        var label = Find(text.Slice(1, length));
        json.Position += label == SenMlLabel.Unknown ? 0 : length + 3;
        return label;
    }

    internal static string Name(SenMlLabel label) => label switch
    {
        SenMlLabel.BaseName => "bn",
        SenMlLabel.BaseTime => "bt",
        SenMlLabel.BaseUnit => "bu",
        SenMlLabel.BaseValue => "bv",
        SenMlLabel.BaseSum => "bs",
        SenMlLabel.BaseVersion => "bver",
        SenMlLabel.Entries => "e",
        SenMlLabel.Name => "n",
        SenMlLabel.Unit => "u",
        SenMlLabel.Value => "v",
        SenMlLabel.Text => "vs",
        SenMlLabel.Boolean => "vb",
        SenMlLabel.Data => "vd",
        SenMlLabel.Sum => "s",
        SenMlLabel.Time => "t",
        SenMlLabel.UpdateTime => "ut",
        SenMlLabel.OldText => "sv",
        _ => "",
    };

    internal static SenMlLabel Find(ReadOnlySpan<byte> label) => label.Length switch
    {
        1 => label[0] switch
        {
            (byte)'n' => SenMlLabel.Name,
            (byte)'u' => SenMlLabel.Unit,
            (byte)'v' => SenMlLabel.Value,
            (byte)'s' => SenMlLabel.Sum,
            (byte)'t' => SenMlLabel.Time,
            (byte)'e' => SenMlLabel.Entries,
            _ => SenMlLabel.Unknown,
        },
        2 => (label[0] << 8 | label[1]) switch
        {
            'b' << 8 | 'n' => SenMlLabel.BaseName,
            'b' << 8 | 't' => SenMlLabel.BaseTime,
            'b' << 8 | 'u' => SenMlLabel.BaseUnit,
            'b' << 8 | 'v' => SenMlLabel.BaseValue,
            'b' << 8 | 's' => SenMlLabel.BaseSum,
            'v' << 8 | 's' => SenMlLabel.Text,
            'v' << 8 | 'b' => SenMlLabel.Boolean,
            'v' << 8 | 'd' => SenMlLabel.Data,
            'u' << 8 | 't' => SenMlLabel.UpdateTime,
            's' << 8 | 'v' => SenMlLabel.OldText,
            _ => SenMlLabel.Unknown,
        },
        _ => label.SequenceEqual("bver"u8) ? SenMlLabel.BaseVersion : SenMlLabel.Unknown,
    };
}
