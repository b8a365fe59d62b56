namespace IoT.Cep;

/// <summary>How lines are read.</summary>
/// <param name="MaxLineBytes">The longest line without its end: 1 MiB. A longer one is a dead letter (<c>TooLarge</c>), and reading goes on behind it.</param>
/// <param name="SkipLines">How many lines to pass over at the start of the input or of each connection: 1 for the header of a CSV file.</param>
/// <param name="ReconnectDelay">
/// How long to wait before connecting again after the input ended or broke; doubled up to 30 seconds while connecting fails, and cut by up to half at random. Null ends
/// the transport with its input.
/// </param>
public sealed record LineOptions(int MaxLineBytes = 1 << 20, int SkipLines = 0, TimeSpan? ReconnectDelay = null)
{
    /// <summary>The options of a transport that was given none.</summary>
    public static LineOptions Default { get; } = new();

    internal static LineOptions Check(LineOptions? options)
    {
        if (options is null)
        {
            return Default;
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxLineBytes, 1, nameof(MaxLineBytes));
        ArgumentOutOfRangeException.ThrowIfNegative(options.SkipLines, nameof(SkipLines));
        if (options.ReconnectDelay is { } delay)
        {
            ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(delay, TimeSpan.Zero, nameof(ReconnectDelay));
        }

        return options;
    }
}
