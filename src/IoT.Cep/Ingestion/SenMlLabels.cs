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

internal static class SenMlLabels
{
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
