using System.Globalization;
using IoT.Reference.Contracts;

namespace IoT.Reference.DeviceManager.Registry;

/// <summary>Which devices are asked for; null: all.</summary>
internal sealed record DeviceFilter(string? Owner = null, string? Group = null, string? Type = null, DeviceState? State = null, Place? Near = null);

/// <summary>A circle on the ground.</summary>
internal sealed record Place(double Latitude, double Longitude, double Meters)
{
    private const double EarthMeters = 6_371_000, MetersPerDegree = 111_195;

    public double South => Latitude - (Meters / MetersPerDegree);

    public double North => Latitude + (Meters / MetersPerDegree);

    /// <summary>Reads <c>latitude,longitude,meters</c>.</summary>
    public static Place? Parse(string? text)
    {
        if (text is null)
        {
            return null;
        }

        double[] numbers = [.. text.Split(',').Select(static n => double.TryParse(n, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : double.NaN)];
        return numbers is [>= -90 and <= 90, >= -180 and <= 180, >= 0 and <= 20_100_000]
            ? new Place(numbers[0], numbers[1], numbers[2])
            : throw Refusal.Invalid("'near' is latitude,longitude,meters.");
    }

    /// <summary>Whether a device was in it when it was last located.</summary>
    public bool Has(DeviceRecord device)
    {
        if (device is not { Latitude: { } latitude, Longitude: { } longitude })
        {
            return false;
        }

        static double Radians(double degrees) => degrees * Math.PI / 180;
        double half = Math.Sin(Radians(latitude - Latitude) / 2), across = Math.Sin(Radians(longitude - Longitude) / 2);
        double chord = (half * half) + (Math.Cos(Radians(Latitude)) * Math.Cos(Radians(latitude)) * across * across);
        return 2 * EarthMeters * Math.Asin(Math.Min(1, Math.Sqrt(chord))) <= Meters;
    }
}
