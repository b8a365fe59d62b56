using IoT.Cep;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Rules;

/// <summary>A pattern: warm, warmer, and then hotter by 15 degrees than at first, within five minutes. It warns before the machine is too hot. By the device's own clock.</summary>
internal static class RisingHeat
{
    public const string Name = "rising-heat";

    public static void Declare(RuleContext context)
    {
        var warmth = context.Thresholds.Declare(Name, "warm", 45, -100, 1_000);
        var rise = context.Thresholds.Declare(Name, "rise", 15, 1, 500);

        var rising = Pattern.Begin<Ingest.Reading>(out var warm, r => r.Value > warmth.Value)
            .FollowedBy(out var warmer, (r, m) => r.Value > m[warm].Value + 2)
            .FollowedBy(out var hot, (r, m) => r.Value > m[warm].Value + rise.Value)
            .Within(TimeSpan.FromMinutes(5))
            .AfterMatch(After.PastLastEvent);

        context.Run(Name, context.Bus.DeviceOwnTime(r => Measures.IsTemperature(r.Name))
            .Match(rising, maxPartialMatchesPerKey: 100)
            .Select(m => new Signal(
                Name, m[hot].Device, true, Severity.Warning, FormattableString.Invariant($"from {m[warm].Value:0.#} to {m[hot].Value:0.#} degrees in {(m[hot].Time - m[warm].Time).TotalSeconds:0} s"),
                m[hot].Value, m[hot].Time, m[hot].Arrived, m[hot].Trace, TimeSpan.FromMinutes(5))));
    }
}
