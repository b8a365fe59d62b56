using IoT.Reference.Analytics.Storage;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Batch;

/// <summary>A piece of the history: some devices, some time. Its borders are borders of windows, so no window is in two parts.</summary>
internal readonly record struct Part(int Number, string FirstDevice, string LastDevice, long From, long To);

/// <summary>What a part's readings of a device's measure in a window add up to.</summary>
internal readonly record struct Partial(long Count, double Sum, double Min, double Max)
{
    public static Partial Of(double value) => new(1, value, value, value);

    public static Partial Reduce(Partial left, Partial right) => new(left.Count + right.Count, left.Sum + right.Sum, Math.Min(left.Min, right.Min), Math.Max(left.Max, right.Max));
}

/// <summary>
/// Map and reduce over stored readings. Map: a reading becomes (device, name, window) and a <see cref="Partial"/> of one. Reduce: partials of one key become one. Parts are independent of each other,
/// so any number of workers gives the same result.
/// </summary>
internal static class MapReduce
{
    /// <summary>Devices of a part; with a day of a device that sends each second this is eight million readings, and seconds of work.</summary>
    internal const int DevicesOfPart = 100;

    private static readonly long _longest = TimeSpan.FromDays(1).Ticks;

    /// <summary>Cuts the history. The same history and request give the same parts, with the same numbers: a restart goes on with those that are missing.</summary>
    public static IReadOnlyList<Part> Split(IReadOnlyList<string> devices, BatchRequest request)
    {
        long step = TimeSpan.FromSeconds(request.StepSeconds).Ticks;
        long length = Math.Max(step, _longest / step * step);
        var parts = new List<Part>();
        for (int i = 0; i < devices.Count; i += DevicesOfPart)
        {
            string last = devices[Math.Min(i + DevicesOfPart, devices.Count) - 1];
            for (long from = request.From.UtcTicks; from < request.To.UtcTicks;)
            {
                long border = WindowOf(from, step) + length;
                long to = Math.Min(border, request.To.UtcTicks);
                parts.Add(new Part(parts.Count, devices[i], last, from, to));
                from = to;
            }
        }

        return parts;
    }

    public static Dictionary<(string Device, string Name, long Start), Partial> Run(Store store, Part part, BatchRequest request, CancellationToken stop) => store.Read(connection =>
    {
        long step = TimeSpan.FromSeconds(request.StepSeconds).Ticks;
        var chosen = request.Devices?.ToHashSet();
        var result = new Dictionary<(string Device, string Name, long Start), Partial>();
        using var command = connection.Command(
            "SELECT device, name, time, value FROM readings WHERE device BETWEEN @first AND @last AND time >= @from AND time < @to AND (@name IS NULL OR name = @name)",
            ("@first", part.FirstDevice), ("@last", part.LastDevice), ("@from", part.From), ("@to", part.To), ("@name", request.Name));
        using var rows = command.ExecuteReader();
        while (rows.Read())
        {
            stop.ThrowIfCancellationRequested();
            if (chosen is null || chosen.Contains(rows.GetString(0)))
            {
                var key = (rows.GetString(0), rows.GetString(1), WindowOf(rows.GetInt64(2), step));
                var mapped = Partial.Of(rows.GetDouble(3));
                result[key] = result.TryGetValue(key, out var before) ? Partial.Reduce(before, mapped) : mapped;
            }
        }

        return result;
    });

    // Windows are aligned to 1970, as those of live queries are.
    private static long WindowOf(long ticks, long step)
    {
        long since = ticks - DateTimeOffset.UnixEpoch.Ticks;
        return DateTimeOffset.UnixEpoch.Ticks + (since - (((since % step) + step) % step));
    }
}
