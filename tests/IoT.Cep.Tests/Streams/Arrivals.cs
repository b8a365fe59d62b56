namespace IoT.Cep.Tests;

/// <summary>
/// Random events as they come in, with the watermarks between them, and what a slow and obvious model needs: the events that are on time, in order
/// of time and then of arrival, and those that are late. Times are quarters of a second, so ties are many; keys come and go; values are few.
/// </summary>
internal sealed class Arrivals
{
    internal const int MaxDisorder = 4;
    private readonly List<(double Time, Reading Value)> _onTime = [];

    private Arrivals(int seed, bool inOrder)
    {
        var random = new Random(seed);
        Timeline = inOrder ? Tests.Timeline.Keyed().InOrder() : Tests.Timeline.Keyed();
        double now = random.Next(-40, 40);
        for (int i = random.Next(80); i > 0; i--)
        {
            now += random.Next(12) == 0 ? random.Next(4, 9) : random.Next(4) / 4.0;
            double time = inOrder ? now : now - (random.Next(4 * MaxDisorder) / 4.0);
            Add(time, new Reading($"k{Math.Floor(now / 16)}.{random.Next(3)}", random.Next(4)));
            if (random.Next(4) == 0)
            {
                // Out of order, it now and then runs ahead of an event that is still to come.
                Advance(inOrder ? now : now - (random.Next(2 * MaxDisorder) / 2.0));
            }
        }

        EndsWithInput = random.Next(3) == 0;
        if (EndsWithInput)
        {
            Timeline.End();
        }
        else
        {
            Advance(now + random.Next(30));
        }
    }

    internal Timeline<Reading> Timeline { get; }

    /// <summary>The last watermark.</summary>
    internal double Watermark { get; private set; } = double.MinValue;

    /// <summary>Whether the input ends; otherwise events behind the last watermark are still held.</summary>
    internal bool EndsWithInput { get; }

    internal List<(double Time, Reading Value)> Late { get; } = [];

    /// <summary>What comes out of any operator that waits for order: the events on time, as far as time went.</summary>
    internal List<(double Time, Reading Value)> Ordered => [.. _onTime.Where(e => EndsWithInput || e.Time <= Watermark).OrderBy(e => e.Time)];

    /// <summary>The same for each key.</summary>
    internal IEnumerable<List<(double Time, Reading Value)>> Keys => Ordered.GroupBy(e => e.Value.Key).Select(key => key.ToList());

    internal bool HasTies => _onTime.GroupBy(e => (e.Time, e.Value.Key)).Any(tie => tie.Count() > 1);

    internal bool IsEmpty => _onTime.Count == 0;

    internal static Arrivals Of(int seed) => new(seed, inOrder: false);

    /// <summary>Promised to be in order: operators hold nothing then.</summary>
    internal static Arrivals InOrder(int seed) => new(seed, inOrder: true);

    private void Add(double time, Reading value)
    {
        Timeline.At(time, value);
        (time < Watermark ? Late : _onTime).Add((time, value));
    }

    private void Advance(double watermark)
    {
        Watermark = Math.Max(Watermark, watermark);
        Timeline.Watermark(Watermark);
    }
}
