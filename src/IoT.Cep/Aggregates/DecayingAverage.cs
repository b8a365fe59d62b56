namespace IoT.Cep;

/// <summary>
/// An average in which an event weighs half as much for each half-life that it is older than the latest one. Weights are kept relative to the latest
/// event, so late events and other panes are taken in by scaling, in any order.
/// </summary>
internal record struct DecayingAverage(long HalfLifeTicks) : ITimedAccumulator<double, DecayingAverage>
{
    private long _latest;
    private double _weight;
    private double _sum;

    internal readonly double Value => _sum / _weight;

    public void Add(in double value, long ticks) => Add(1, value, ticks);

    public void Merge(in DecayingAverage other)
    {
        if (other._weight > 0)
        {
            Add(other._weight, other._sum, other._latest);
        }
    }

    private void Add(double weight, double sum, long ticks)
    {
        if (_weight == 0)
        {
            (_latest, _weight, _sum) = (ticks, weight, sum);
            return;
        }

        double share = Math.Pow(2, -Math.Abs((double)(ticks - _latest)) / HalfLifeTicks);
        if (ticks > _latest)
        {
            _latest = ticks;
            (_weight, _sum) = ((_weight * share) + weight, Scale(_sum, share) + sum);
        }
        else
        {
            (_weight, _sum) = (_weight + (weight * share), _sum + Scale(sum, share));
        }
    }

    /// <summary>What weighs nothing any more is nothing, were it infinite.</summary>
    private static double Scale(double sum, double share) => share == 0 ? 0 : sum * share;
}
