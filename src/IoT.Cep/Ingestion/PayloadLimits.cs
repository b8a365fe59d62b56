namespace IoT.Cep;

/// <summary>
/// How much a decoder takes from one payload. What goes past a limit becomes a dead letter, so that a hostile or broken
/// device can neither fill memory nor hold the decoder's thread.
/// </summary>
/// <param name="MaxBytes">The longest payload: 1 MiB, four times what MQTT brokers take by default. Longer is <c>TooLarge</c>.</param>
/// <param name="MaxDepth">How deep JSON may nest, 1 to 64: 32, where devices use up to five. Deeper is <c>TooDeep</c>.</param>
/// <param name="MaxEvents">How many events one payload may hold. More is <c>TooLarge</c>.</param>
/// <param name="MaxTextBytes">The longest text of one field, in bytes of UTF-8. A longer one is <c>OutOfRange</c>.</param>
public sealed record PayloadLimits(
    int MaxBytes = 1 << 20, int MaxDepth = 32, int MaxEvents = 100_000, int MaxTextBytes = 4096)
{
    /// <summary>The limits of a decoder that was given none.</summary>
    public static PayloadLimits Default { get; } = new();

    internal static PayloadLimits Check(PayloadLimits? limits)
    {
        if (limits is null)
        {
            return Default;
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(limits.MaxBytes, 1, nameof(MaxBytes));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limits.MaxBytes, 1 << 30, nameof(MaxBytes));
        ArgumentOutOfRangeException.ThrowIfLessThan(limits.MaxDepth, 1, nameof(MaxDepth));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limits.MaxDepth, 64, nameof(MaxDepth));
        ArgumentOutOfRangeException.ThrowIfLessThan(limits.MaxEvents, 1, nameof(MaxEvents));
        ArgumentOutOfRangeException.ThrowIfLessThan(limits.MaxTextBytes, 1, nameof(MaxTextBytes));
        return limits;
    }
}
