namespace IoT.Cep;

/// <summary>
/// Means, squares and products of pairs about their means: covariance, correlation and the line of least squares. Welford's and Chan's updates as in
/// <see cref="Deviation"/>; for the product see P. Pébay, "Formulas for robust, one-pass parallel computation of covariances" (Sandia, 2008).
/// </summary>
internal record struct CoMoments : IRemovableAccumulator<(double X, double Y), CoMoments>
{
    private double _meanX;
    private double _meanY;
    private double _xx;
    private double _yy;
    private double _xy;

    internal long Count { readonly get; private set; }

    internal readonly double Sample => Count > 1 ? _xy / (Count - 1) : double.NaN;

    internal readonly double Population => Count > 0 ? _xy / Count : double.NaN;

    /// <summary>Pearson's coefficient; NaN where one of both does not vary. Rounding must not make it more than 1.</summary>
    internal readonly double Correlation => Math.Clamp(_xy / (Math.Sqrt(_xx) * Math.Sqrt(_yy)), -1, 1);

    /// <summary>The line of least squares, with its x axis moved so that <paramref name="origin"/> becomes 0.</summary>
    internal readonly LinearFit Fit(double origin = 0)
    {
        if (Count < 2 || _xx == 0)
        {
            return new LinearFit(double.NaN, double.NaN, double.NaN);
        }

        double slope = _xy / _xx;

        // A line through values that are all the same explains all of their variance: there is none.
        double explained = _yy == 0 ? 1 : Math.Clamp(slope * (_xy / _yy), 0, 1);
        return new LinearFit(slope, _meanY - (slope * (_meanX - origin)), explained);
    }

    public void Add(in (double X, double Y) value)
    {
        Count++;
        double x = value.X - _meanX, y = value.Y - _meanY;
        _meanX += x / Count;
        _meanY += y / Count;
        _xx += x * (value.X - _meanX);
        _yy += y * (value.Y - _meanY);
        _xy += x * (value.Y - _meanY);
    }

    public void Remove(in (double X, double Y) value)
    {
        if (--Count <= 0)
        {
            this = default;
            return;
        }

        double x = value.X - _meanX, y = value.Y - _meanY;
        _meanX -= x / Count;
        _meanY -= y / Count;
        _xx = double.Max(0, _xx - (x * (value.X - _meanX)));
        _yy = double.Max(0, _yy - (y * (value.Y - _meanY)));
        _xy -= x * (value.Y - _meanY);
    }

    public void Merge(in CoMoments other) => Merge(in other, 0);

    /// <summary>The same with a constant added to each x of the other.</summary>
    internal void Merge(in CoMoments other, double shiftX)
    {
        if (other.Count == 0)
        {
            return;
        }

        long count = Count + other.Count;
        double x = other._meanX + shiftX - _meanX, y = other._meanY - _meanY;
        double weight = (double)Count * other.Count / count, share = (double)other.Count / count;
        _xx += other._xx + (x * x * weight);
        _yy += other._yy + (y * y * weight);
        _xy += other._xy + (x * y * weight);
        _meanX += x * share;
        _meanY += y * share;
        Count = count;
    }
}

/// <summary>
/// The same with an event's time as x, in seconds. Times are counted from the first event that came: a double has no room for both an epoch and a tick.
/// </summary>
internal record struct TrendMoments : ITimedAccumulator<double, TrendMoments>
{
    private CoMoments _moments;
    private long _origin;

    public void Add(in double value, long ticks)
    {
        if (_moments.Count == 0)
        {
            _origin = ticks;
        }

        _moments.Add((SecondsBetween(_origin, ticks), value));
    }

    public void Merge(in TrendMoments other)
    {
        if (_moments.Count == 0)
        {
            this = other;
        }
        else
        {
            _moments.Merge(in other._moments, SecondsBetween(_origin, other._origin));
        }
    }

    internal readonly LinearFit Fit(long start) => _moments.Fit(SecondsBetween(_origin, start));

    private static double SecondsBetween(long from, long to) => (double)(to - from) / TimeSpan.TicksPerSecond;
}

/// <summary>A line of least squares, <c>y = Intercept + Slope * x</c>. All NaN where fewer than two different x were seen.</summary>
/// <param name="Slope">Change of y for each unit of x.</param>
/// <param name="Intercept">The line's y at x = 0.</param>
/// <param name="RSquared">The part of the variance of y that the line explains: 1 where all values lie on it, 0 where it explains nothing.</param>
public readonly record struct LinearFit(double Slope, double Intercept, double RSquared);
