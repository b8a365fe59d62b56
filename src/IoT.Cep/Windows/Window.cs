namespace IoT.Cep;

/// <summary>Kinds of windows. All are start inclusive, end exclusive, and fire when the watermark reaches their end.</summary>
public static class Window
{
    /// <summary>Windows of one size, one after the other, aligned to 1970-01-01 UTC plus an offset.</summary>
    /// <param name="size">The size.</param>
    /// <param name="offset">Moves the borders: windows of a day that begin at 06:00 have an offset of six hours.</param>
    public static WindowSpec Tumbling(TimeSpan size, TimeSpan offset = default) => new TumblingWindows(size, offset);
}
