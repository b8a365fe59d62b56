using System.Text.RegularExpressions;

namespace IoT.Reference.Identity.Xacml;

/// <summary>What a function takes.</summary>
internal readonly record struct Parameter(DataType Type, bool IsBag = false);

/// <summary>A function of XACML 3.0, appendix A.3.</summary>
/// <param name="Name">The last part of its identifier.</param>
/// <param name="Parameters">What it takes.</param>
/// <param name="IsRepeated">Whether the last parameter may come as often as wanted, also not at all.</param>
internal sealed record Function(string Name, DataType Returns, bool ReturnsBag, Parameter[] Parameters, Func<object[], object> Invoke, bool IsRepeated = false);

/// <summary>The functions, by name. And, or, not, n-of and the higher-order ones are expressions of their own.</summary>
internal static partial class Functions
{
    /// <summary>A guard against patterns that need longer than anyone waits; they can't: without backtracking time is linear.</summary>
    private static readonly TimeSpan _patience = TimeSpan.FromMilliseconds(100);

    private static readonly Dictionary<string, Function> _all = Make();

    internal static Function? Find(string name) => _all.GetValueOrDefault(name);

    private static Dictionary<string, Function> Make()
    {
        var all = new Dictionary<string, Function>(StringComparer.Ordinal);
        foreach (var function in Equals().Concat(Orders()).Concat(Numbers()).Concat(Texts()).Concat(Times()).Concat(Bags()).Concat(Conversions()))
        {
            all.Add(function.Name, function);
        }

        return all;
    }

    private static Function Of(string name, DataType returns, Parameter[] parameters, Func<object[], object> invoke, bool isRepeated = false) =>
        new(name, returns, false, parameters, invoke, isRepeated);

    private static Function Test(string name, DataType type, Func<object, object, bool> test) =>
        Of(name, DataType.Boolean, [new(type), new(type)], a => DataTypes.Boxed(test(a[0], a[1])));

    private static IEnumerable<Function> Equals()
    {
        foreach (var (type, name) in DataTypes.Named)
        {
            yield return Test(name + "-equal", type, static (a, b) => a.Equals(b));
        }

        yield return Test("string-equal-ignore-case", DataType.String, static (a, b) => string.Equals((string)a, (string)b, StringComparison.OrdinalIgnoreCase));
        yield return Of("not", DataType.Boolean, [new(DataType.Boolean)], static a => DataTypes.Boxed(!(bool)a[0]));
    }

    private static IEnumerable<Function> Orders()
    {
        DataType[] ordered = [DataType.String, DataType.Integer, DataType.Double, DataType.Time, DataType.Date, DataType.DateTime];
        foreach (var type in ordered)
        {
            string name = DataTypes.NameOf(type);
            yield return Test(name + "-greater-than", type, static (a, b) => Compare(a, b) > 0);
            yield return Test(name + "-greater-than-or-equal", type, static (a, b) => Compare(a, b) >= 0);
            yield return Test(name + "-less-than", type, static (a, b) => Compare(a, b) < 0);
            yield return Test(name + "-less-than-or-equal", type, static (a, b) => Compare(a, b) <= 0);
        }

        yield return Of("time-in-range", DataType.Boolean, [new(DataType.Time), new(DataType.Time), new(DataType.Time)], static a => DataTypes.Boxed(IsInRange((TimeOnly)a[0], (TimeOnly)a[1], (TimeOnly)a[2])));
    }

    private static int Compare(object a, object b) => a is string s ? string.CompareOrdinal(s, (string)b) : ((IComparable)a).CompareTo(b);

    // Both ends belong to it; one that ends before it begins goes over midnight.
    private static bool IsInRange(TimeOnly time, TimeOnly from, TimeOnly to) => from <= to ? time >= from && time <= to : time >= from || time <= to;

    private static IEnumerable<Function> Numbers()
    {
        Parameter integer = new(DataType.Integer), real = new(DataType.Double);
        yield return Of("integer-add", DataType.Integer, [integer, integer], static a => Checked(a, static (x, y) => checked(x + y)), isRepeated: true);
        yield return Of("integer-subtract", DataType.Integer, [integer, integer], static a => Checked(a, static (x, y) => checked(x - y)));
        yield return Of("integer-multiply", DataType.Integer, [integer, integer], static a => Checked(a, static (x, y) => checked(x * y)), isRepeated: true);
        yield return Of("integer-divide", DataType.Integer, [integer, integer], static a => Checked(a, static (x, y) => x / y));
        yield return Of("integer-mod", DataType.Integer, [integer, integer], static a => Checked(a, static (x, y) => x % y));
        yield return Of("integer-abs", DataType.Integer, [integer], static a => (long)a[0] == long.MinValue ? new Failure("integer-abs: too large") : Math.Abs((long)a[0]));
        yield return Of("double-add", DataType.Double, [real, real], static a => Sum(a, static (x, y) => x + y), isRepeated: true);
        yield return Of("double-subtract", DataType.Double, [real, real], static a => (double)a[0] - (double)a[1]);
        yield return Of("double-multiply", DataType.Double, [real, real], static a => Sum(a, static (x, y) => x * y), isRepeated: true);
        yield return Of("double-divide", DataType.Double, [real, real], static a => (double)a[1] == 0 ? new Failure("division by zero") : (double)a[0] / (double)a[1]);
        yield return Of("double-abs", DataType.Double, [real], static a => Math.Abs((double)a[0]));
        yield return Of("round", DataType.Double, [real], static a => Math.Round((double)a[0], MidpointRounding.ToEven));
        yield return Of("floor", DataType.Double, [real], static a => Math.Floor((double)a[0]));
    }

    private static object Checked(object[] values, Func<long, long, long> fold)
    {
        try
        {
            long result = (long)values[0];
            for (int i = 1; i < values.Length; i++)
            {
                result = fold(result, (long)values[i]);
            }

            return result;
        }
        catch (ArithmeticException e)
        {
            return new Failure(e.Message);
        }
    }

    private static object Sum(object[] values, Func<double, double, double> fold)
    {
        double result = (double)values[0];
        for (int i = 1; i < values.Length; i++)
        {
            result = fold(result, (double)values[i]);
        }

        return result;
    }

    private static IEnumerable<Function> Texts()
    {
        Parameter text = new(DataType.String), uri = new(DataType.Uri);
        yield return Of("string-normalize-space", DataType.String, [text], static a => ((string)a[0]).Trim());
        yield return Of("string-normalize-to-lower-case", DataType.String, [text], static a => Lower((string)a[0]));
        yield return Of("string-concatenate", DataType.String, [text, text], static a => string.Concat(a), isRepeated: true);
        foreach (var (parameter, name) in new[] { (text, "string"), (uri, "anyURI") })
        {
            // The part comes first, what it may be a part of second.
            yield return Of(name + "-starts-with", DataType.Boolean, [text, parameter], static a => DataTypes.Boxed(((string)a[1]).StartsWith((string)a[0], StringComparison.Ordinal)));
            yield return Of(name + "-ends-with", DataType.Boolean, [text, parameter], static a => DataTypes.Boxed(((string)a[1]).EndsWith((string)a[0], StringComparison.Ordinal)));
            yield return Of(name + "-contains", DataType.Boolean, [text, parameter], static a => DataTypes.Boxed(((string)a[1]).Contains((string)a[0], StringComparison.Ordinal)));
            yield return Of(name + "-regexp-match", DataType.Boolean, [text, parameter], static a => Matches((string)a[0], (string)a[1]));
        }

        yield return Of("string-substring", DataType.String, [text, new(DataType.Integer), new(DataType.Integer)], static a => Substring((string)a[0], (long)a[1], (long)a[2]));
    }

#pragma warning disable CA1308 // The function's name says lower case.
    private static string Lower(string text) => text.ToLowerInvariant();
#pragma warning restore CA1308

    private static object Matches(string pattern, string text)
    {
        try
        {
            return DataTypes.Boxed(Regex.IsMatch(text, pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant, _patience));
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException or RegexMatchTimeoutException)
        {
            return new Failure("regexp-match: " + e.Message);
        }
    }

    private static object Substring(string text, long from, long to)
    {
        long end = to == -1 ? text.Length : to;
        return from < 0 || end < from || end > text.Length ? new Failure("string-substring: outside of the text") : text[(int)from..(int)end];
    }
}
