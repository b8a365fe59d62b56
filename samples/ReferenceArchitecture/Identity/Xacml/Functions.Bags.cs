using System.Globalization;

namespace IoT.Reference.Identity.Xacml;

// Times, conversions, bags and sets.
internal static partial class Functions
{
    private static IEnumerable<Function> Times()
    {
        Parameter time = new(DataType.DateTime), duration = new(DataType.Duration);
        yield return Of("dateTime-add-dayTimeDuration", DataType.DateTime, [time, duration], static a => Shift((DateTimeOffset)a[0], (TimeSpan)a[1]));
        yield return Of("dateTime-subtract-dayTimeDuration", DataType.DateTime, [time, duration], static a => Shift((DateTimeOffset)a[0], -(TimeSpan)a[1]));
    }

    private static object Shift(DateTimeOffset time, TimeSpan by)
    {
        try
        {
            return time + by;
        }
        catch (ArgumentOutOfRangeException)
        {
            return new Failure("a time outside of the calendar");
        }
    }

    private static IEnumerable<Function> Conversions()
    {
        yield return Of("double-to-integer", DataType.Integer, [new(DataType.Double)], static a => ToInteger((double)a[0]));
        yield return Of("integer-to-double", DataType.Double, [new(DataType.Integer)], static a => (double)(long)a[0]);
        foreach (var (type, name) in DataTypes.Named)
        {
            if (type != DataType.String)
            {
                yield return Of("string-from-" + name, DataType.String, [new(type)], static a => DataTypes.Write(a[0]));
                yield return Of(name + "-from-string", type, [new(DataType.String)], a => FromText(type, (string)a[0]));
            }
        }
    }

    private static object ToInteger(double value) =>
        Math.Abs(value) < 9e18 ? (long)value : new Failure("double-to-integer: " + value.ToString(CultureInfo.InvariantCulture) + " is too large");

    private static object FromText(DataType type, string text)
    {
        try
        {
            return DataTypes.Parse(type, text);
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            return new Failure(e.Message);
        }
    }

    private static IEnumerable<Function> Bags()
    {
        foreach (var (type, name) in DataTypes.Named)
        {
            Parameter one = new(type), bag = new(type, true);
            yield return Of(name + "-one-and-only", type, [bag], static a => ((object[])a[0]) is [var only] ? only : new Failure("not one value"));
            yield return Of(name + "-bag-size", DataType.Integer, [bag], static a => (long)((object[])a[0]).Length);
            yield return Of(name + "-is-in", DataType.Boolean, [one, bag], static a => DataTypes.Boxed(Contains((object[])a[1], a[0])));
            yield return new Function(name + "-bag", type, true, [one], static a => (object[])a.Clone(), IsRepeated: true);
            yield return new Function(name + "-intersection", type, true, [bag, bag], static a => Array.FindAll((object[])a[0], v => Contains((object[])a[1], v)).Distinct().ToArray());
            yield return new Function(name + "-union", type, true, [bag, bag], static a => a.SelectMany(static b => (object[])b).Distinct().ToArray(), IsRepeated: true);
            yield return Of(name + "-at-least-one-member-of", DataType.Boolean, [bag, bag], static a => DataTypes.Boxed(Array.Exists((object[])a[0], v => Contains((object[])a[1], v))));
            yield return Of(name + "-subset", DataType.Boolean, [bag, bag], static a => DataTypes.Boxed(IsSubset((object[])a[0], (object[])a[1])));
            yield return Of(name + "-set-equals", DataType.Boolean, [bag, bag], static a => DataTypes.Boxed(IsSubset((object[])a[0], (object[])a[1]) && IsSubset((object[])a[1], (object[])a[0])));
        }
    }

    private static bool IsSubset(object[] inner, object[] outer) => Array.TrueForAll(inner, v => Contains(outer, v));

    private static bool Contains(object[] bag, object value)
    {
        foreach (object other in bag)
        {
            if (other.Equals(value))
            {
                return true;
            }
        }

        return false;
    }
}
