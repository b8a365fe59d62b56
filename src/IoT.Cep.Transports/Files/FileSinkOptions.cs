namespace IoT.Cep;

/// <summary>How a file is written.</summary>
public sealed record FileSinkOptions
{
    /// <summary>How long a file may get, in bytes, before the next one begins. Default: 64 MiB. A batch is not split: a file may be longer by what one batch holds.</summary>
    public long MaxFileBytes { get; init; } = 64 << 20;

    /// <summary>How many full files are kept: <c>x.log.1</c> is the latest. Default: 9; older ones are deleted. 0 begins anew without keeping any.</summary>
    public int MaxFiles { get; init; } = 9;

    /// <summary>Whether a batch is on the disk before it counts as written; the sink is durable then. Default: yes. Else a crash of the machine, not of the program, loses seconds.</summary>
    public bool FlushToDisk { get; init; } = true;

    internal static FileSinkOptions Check(FileSinkOptions? options)
    {
        options ??= new FileSinkOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxFileBytes, 1, nameof(MaxFileBytes));
        ArgumentOutOfRangeException.ThrowIfNegative(options.MaxFiles, nameof(MaxFiles));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.MaxFiles, 10_000, nameof(MaxFiles));
        return options;
    }
}
