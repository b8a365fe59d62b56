namespace IoT.Cep;

/// <summary>
/// Count, mean and sum of squared differences from the mean. It never subtracts two large sums: adding is Welford's update (B. P. Welford, "Note on a
/// method for calculating corrected sums of squares and products", Technometrics 4(3), 1962), merging is that of T. F. Chan, G. H. Golub and R. J. LeVeque
/// ("Updating formulae and a pairwise algorithm for computing sample variances", 1979).
/// </summary>
internal record struct Deviation : IRemovableAccumulator<double, Deviation>
{
    private double _mean;
    private double _squares;

    internal long Count { readonly get; private set; }

    /// <summary>The variance with n - 1, an unbiased estimate for all that the sample stands for; NaN of fewer than two values.</summary>
    internal readonly double Sample => Count > 1 ? _squares / (Count - 1) : double.NaN;

    /// <summary>The variance with n, of exactly these values.</summary>
    internal readonly double Population => Count > 0 ? _squares / Count : double.NaN;

    public void Add(in double value)
    {
        Count++;
        double difference = value - _mean, mean = _mean;
        _mean += difference / Count;
        if (double.IsInfinity(difference))
        {
            _mean = MeanOf(mean, value, 1.0 / Count);
        }

        _squares += difference * (value - _mean);
    }

    public void Remove(in double value)
    {
        if (--Count <= 0)
        {
            this = default;
            return;
        }

        double difference = value - _mean;
        _mean -= difference / Count;
        _squares = double.Max(0, _squares - (difference * (value - _mean)));
    }

    public void Merge(in Deviation other)
    {
        if (other.Count == 0)
        {
            return;
        }

        long count = Count + other.Count;
        double difference = other._mean - _mean;
        _squares += other._squares + (difference * difference * ((double)Count * other.Count / count));
        double share = (double)other.Count / count;
        _mean = double.IsInfinity(difference) ? MeanOf(_mean, other._mean, share) : _mean + (difference * share);
        Count = count;
    }

    /// <summary>
    /// Two great values of both signs have a mean, although their difference goes beyond all numbers: a variance is then infinite, and its sign remains right.
    /// </summary>
    private static double MeanOf(double mean, double value, double share) => (mean * (1 - share)) + (value * share);
}
