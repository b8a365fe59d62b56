namespace IoT.Cep;

/// <summary>How a file is followed.</summary>
public sealed record TailOptions
{
    /// <summary>
    /// Where the position is kept, so that a restarted program goes on where its queries were: messages are then acknowledged. Null, the default: nowhere;
    /// reading begins as <see cref="FromStart"/> says.
    /// </summary>
    public string? PositionFile { get; init; }

    /// <summary>Whether to begin at the file's start where no position was kept. Default: yes; else at its end.</summary>
    public bool FromStart { get; init; } = true;

    /// <summary>How often to look for more. Default: 250 ms.</summary>
    public TimeSpan PollInterval { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>How often the position is written at most. Default: one second. What was acknowledged since is read again after a crash.</summary>
    public TimeSpan PositionInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest line without its end: 1 MiB. A longer one is a dead letter, and reading goes on behind it.</summary>
    public int MaxLineBytes { get; init; } = 1 << 20;

    /// <summary>The messages' topic; the file's name where null, the default.</summary>
    public string? Topic { get; init; }

    internal static TailOptions Check(TailOptions? options)
    {
        options ??= new TailOptions();
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(options.PollInterval, TimeSpan.Zero, nameof(PollInterval));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.PositionInterval, TimeSpan.Zero, nameof(PositionInterval));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxLineBytes, 1, nameof(MaxLineBytes));
        return options;
    }
}
