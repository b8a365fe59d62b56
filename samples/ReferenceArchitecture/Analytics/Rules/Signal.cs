using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Rules;

/// <summary>What a rule says: something is the matter with a device, or no more.</summary>
/// <param name="Arrived">When the message came that it is about; nothing where it is about messages that did not come.</param>
/// <param name="Lasts">For rules that see an occurrence and no end: after so long without another one it is over.</param>
/// <param name="Wish">The command that the rule wants to be sent; the interlock decides.</param>
internal sealed record Signal(
    string Rule, string Device, bool IsRaised, Severity Severity, string Text, double? Value, DateTimeOffset Time, DateTimeOffset Arrived, string? Trace = null,
    TimeSpan? Lasts = null, CommandWish? Wish = null);

/// <summary>A rule wants an output of a device to have a value.</summary>
internal sealed record CommandWish(string Device, string Output, double Value, string Rule, DateTimeOffset Time, string? Trace = null);
