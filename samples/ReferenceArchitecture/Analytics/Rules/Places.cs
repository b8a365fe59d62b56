using IoT.Cep;
using IoT.Reference.Analytics.Ingest;
using IoT.Reference.Contracts;

namespace IoT.Reference.Analytics.Rules;

/// <summary>A device leaves the circle around its place, which the registry knows: enrichment by a table that changes while the rule runs.</summary>
internal static class Geofence
{
    public const string Name = "geofence";

    public static void Declare(RuleContext context)
    {
        var radius = context.Thresholds.Declare(Name, "kilometres", 1, 0.01, 20_000);

        context.Run(Name, context.Bus.Events.Where(e => Places.IsPlace(e))
            .Enrich(context.Devices.Rows, e => e.Device, (e, device) => (Event: e, Device: device))
            .Where(located => located.Device is { Latitude: not null, Longitude: not null })
            .Select(located => (located.Event, Kilometres: Places.Kilometres(
                located.Device!.Latitude!.Value, located.Device.Longitude!.Value, located.Event.Latitude!.Value, located.Event.Longitude!.Value)))
            .Select(away => new Signal(
                Name, away.Event.Device, away.Kilometres > radius.Value, Severity.Warning, FormattableString.Invariant($"{away.Kilometres:0.0} km from its place"), away.Kilometres,
                away.Event.Time, away.Event.Arrived, away.Event.Trace)));
    }
}

/// <summary>A device is where it can't have come to since it was seen last: two of them have one identity.</summary>
internal static class ImpossibleTravel
{
    public const string Name = "impossible-travel";

    public static void Declare(RuleContext context)
    {
        var speed = context.Thresholds.Declare(Name, "kilometresPerHour", 1_000, 10, 30_000);
        var distance = context.Thresholds.Declare(Name, "kilometres", 50, 1, 20_000);

        context.Run(Name, context.Bus.Events.Where(e => Places.IsPlace(e)).KeyBy(e => e.Device, whenFull: WhenKeysFull.Refuse)
            .WithPrevious((previous, current) => (Event: current, Kilometres: Places.Kilometres(previous, current), Hours: (current.Time - previous.Time).Duration().TotalHours))
            .Where(way => way.Kilometres > distance.Value && way.Kilometres > way.Hours * speed.Value)
            .Select(way => new Signal(
                Name, way.Event.Device, true, Severity.Critical, FormattableString.Invariant($"{way.Kilometres:0} km in {way.Hours * 60:0.#} minutes"), way.Kilometres,
                way.Event.Time, way.Event.Arrived, way.Event.Trace, TimeSpan.FromHours(1))));
    }
}

/// <summary>Places on the globe.</summary>
internal static class Places
{
    public static bool IsPlace(Noticed e) =>
        e.Kind == DeviceEventKinds.Located && e is { Latitude: >= -90 and <= 90, Longitude: >= -180 and <= 180 };

    public static double Kilometres(Noticed from, Noticed to) => Kilometres(from.Latitude!.Value, from.Longitude!.Value, to.Latitude!.Value, to.Longitude!.Value);

    /// <summary>The great circle's length, by the haversine formula: right to half a percent, since the globe is no ball.</summary>
    public static double Kilometres(double latitude, double longitude, double toLatitude, double toLongitude)
    {
        const double MeanRadius = 6_371;
        double north = double.DegreesToRadians(toLatitude - latitude) / 2, east = double.DegreesToRadians(toLongitude - longitude) / 2;
        double chord = (Math.Sin(north) * Math.Sin(north))
            + (Math.Cos(double.DegreesToRadians(latitude)) * Math.Cos(double.DegreesToRadians(toLatitude)) * Math.Sin(east) * Math.Sin(east));
        return 2 * MeanRadius * Math.Asin(Math.Min(1, Math.Sqrt(chord)));
    }
}
