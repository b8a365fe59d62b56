using IoT.Cep;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Rules;

/// <summary>
/// A machine is too hot: raised above the limit, cleared only when it is cooler than the limit by the hysteresis, so that a value which trembles around the limit is one alert and not a hundred.
/// It switches the fan on and off again. By arrival: it acts at once.
/// </summary>
internal static class Overheating
{
    public const string Name = "overheating";
    public const string Fan = "fan";

    private enum Heat
    {
        Unknown,
        Normal,
        Hot,
    }

    public static void Declare(RuleContext context)
    {
        var limit = context.Thresholds.Declare(Name, "limit", 70, -100, 1_000);
        var hysteresis = context.Thresholds.Declare(Name, "hysteresis", 5, 0, 100);

        var signals = context.Bus.Readings.Where(r => Measures.IsTemperature(r.Name)).KeyBy(r => r.Device, whenFull: WhenKeysFull.Refuse)
            .Scan(
                (Was: Heat.Unknown, Is: Heat.Unknown),
                (state, r) => (state.Is, r.Value > limit.Value ? Heat.Hot : r.Value < limit.Value - hysteresis.Value ? Heat.Normal : state.Is),
                (r, state) => (Reading: r, state.Was, state.Is))
            .Where(step => step.Is != step.Was)
            .Select(step => new Signal(
                Name, step.Reading.Device, step.Is == Heat.Hot, Severity.Critical, FormattableString.Invariant($"{step.Reading.Value:0.#} degrees"), step.Reading.Value,
                step.Reading.Time, step.Reading.Arrived, step.Reading.Trace, null,
                step.Is == Heat.Hot || step.Was == Heat.Hot
                    ? new CommandWish(step.Reading.Device, Fan, step.Is == Heat.Hot ? 1 : 0, Name, step.Reading.Arrived, step.Reading.Trace)
                    : null));
        context.Run(Name, signals);
    }
}

/// <summary>What measures are called.</summary>
internal static class Measures
{
    /// <summary>The smallest devices send a value without a name; in this installation it is the temperature.</summary>
    public static bool IsTemperature(string name) => name is "temperature" or "value";
}
