namespace IoT.Cep.Conformance;

/// <summary>The operators with two sides: with a null, a comparison is false and arithmetic is null.</summary>
internal static class Operators
{
    internal static Evaluator Of(string sign, Evaluator left, Evaluator right) => sign switch
    {
        "||" => (in scope) => Value.Of(left(in scope).IsTrue || right(in scope).IsTrue),
        "&&" => (in scope) => Value.Of(left(in scope).IsTrue && right(in scope).IsTrue),
        "==" => Comparing(left, right, static (a, b) => a.Is(b)),
        "!=" => Comparing(left, right, static (a, b) => !a.Is(b)),
        "<" => Comparing(left, right, static (a, b) => a.CompareTo(b) < 0),
        "<=" => Comparing(left, right, static (a, b) => a.CompareTo(b) <= 0),
        ">" => Comparing(left, right, static (a, b) => a.CompareTo(b) > 0),
        ">=" => Comparing(left, right, static (a, b) => a.CompareTo(b) >= 0),
        "+" => Reckoning(left, right, static (a, b) => a + b),
        "-" => Reckoning(left, right, static (a, b) => a - b),
        "*" => Reckoning(left, right, static (a, b) => a * b),
        "/" => Reckoning(left, right, static (a, b) => a / b),
        _ => Reckoning(left, right, Remainder),
    };

    private static Evaluator Comparing(Evaluator left, Evaluator right, Func<Value, Value, bool> holds) => (in scope) =>
    {
        var (a, b) = (left(in scope), right(in scope));
        return Value.Of(!a.IsNull && !b.IsNull && holds(a, b));
    };

    private static Evaluator Reckoning(Evaluator left, Evaluator right, Func<double, double, double> reckon) => (in scope) =>
    {
        var (a, b) = (left(in scope), right(in scope));
        return a.IsNull || b.IsNull ? Value.Null : Value.Of(reckon(a.Number, b.Number));
    };

    /// <summary>With the sign of the divisor, as the reference has it.</summary>
    private static double Remainder(double left, double right)
    {
        double rest = left % right;
        return rest != 0 && (rest < 0) != (right < 0) ? rest + right : rest;
    }
}
