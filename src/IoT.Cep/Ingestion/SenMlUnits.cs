using System.Text;

namespace IoT.Cep;

/// <summary>
/// Well-known units of SenML (RFC 8428, section 12.1, and RFC 8798) and how they turn into each other: a unit is a kind of quantity, a factor and an offset to that quantity's own unit.
/// </summary>
internal static class SenMlUnits
{
    private static readonly Dictionary<string, (string Quantity, double Factor, double Offset)> _units = new(StringComparer.Ordinal)
    {
        ["K"] = ("K", 1, 0),
        ["Cel"] = ("K", 1, 273.15),
        ["m"] = ("m", 1, 0),
        ["km"] = ("m", 1000, 0),
        ["mm"] = ("m", 0.001, 0),
        ["kg"] = ("kg", 1, 0),
        ["g"] = ("kg", 0.001, 0),
        ["s"] = ("s", 1, 0),
        ["ms"] = ("s", 0.001, 0),
        ["min"] = ("s", 60, 0),
        ["h"] = ("s", 3600, 0),
        ["A"] = ("A", 1, 0),
        ["mA"] = ("A", 0.001, 0),
        ["V"] = ("V", 1, 0),
        ["mV"] = ("V", 0.001, 0),
        ["W"] = ("W", 1, 0),
        ["mW"] = ("W", 0.001, 0),
        ["kW"] = ("W", 1000, 0),
        ["J"] = ("J", 1, 0),
        ["Wh"] = ("J", 3600, 0),
        ["kWh"] = ("J", 3_600_000, 0),
        ["VA"] = ("VA", 1, 0),
        ["kVA"] = ("VA", 1000, 0),
        ["var"] = ("var", 1, 0),
        ["kvar"] = ("var", 1000, 0),
        ["Hz"] = ("Hz", 1, 0),
        ["MHz"] = ("Hz", 1_000_000, 0),
        ["Pa"] = ("Pa", 1, 0),
        ["hPa"] = ("Pa", 100, 0),
        ["m3"] = ("m3", 1, 0),
        ["l"] = ("m3", 0.001, 0),
        ["m/s"] = ("m/s", 1, 0),
        ["km/h"] = ("m/s", 1 / 3.6, 0),
        ["/"] = ("/", 1, 0),
        ["%"] = ("/", 0.01, 0),
        ["ppm"] = ("/", 1e-6, 0),
        ["%RH"] = ("%RH", 1, 0),
        ["B"] = ("B", 1, 0),
        ["KiB"] = ("B", 1024, 0),
    };

    private static readonly Dictionary<string, (string Quantity, double Factor, double Offset)>.AlternateLookup<ReadOnlySpan<char>> _lookup =
        _units.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>A value of one unit in another; false where the units are not of one kind.</summary>
    internal static bool TryConvert(ReadOnlySpan<byte> given, string wanted, double number, out double value)
    {
        value = number;
        Span<char> name = stackalloc char[16];
        if (given.Length > name.Length || !Ascii.IsValid(given))
        {
            return false;
        }

        name = name[..Encoding.ASCII.GetChars(given, name)];
        if (wanted.AsSpan().SequenceEqual(name))
        {
            return true;
        }

        if (!_lookup.TryGetValue(name, out var from) || !_units.TryGetValue(wanted, out var to) || from.Quantity != to.Quantity)
        {
            return false;
        }

        // Dividing where the factor is a fraction of a whole number keeps 215 mV at 0.215 V.
        double ratio = to.Factor / from.Factor;
        value = from.Offset == to.Offset && ratio == Math.Round(ratio) && ratio > 1
            ? number / ratio
            : ((number * from.Factor) + from.Offset - to.Offset) / to.Factor;
        return double.IsFinite(value);
    }
}
