namespace IoT.Cep;

/// <summary>
/// The selector that an accumulator's values come from, as a projection knows it: the same where source text and closure are the same (<see cref="Selections.AreSame"/>). It is asked for
/// with each result, so it is compared without being made; the function of a pair is made once.
/// </summary>
internal interface ISelection<T, TValue>
{
    /// <summary>The source text.</summary>
    string Text { get; }

    /// <summary>What selects a value; of a pair made anew, and so called once for a column.</summary>
    Func<T, TValue> Function { get; }

    /// <summary>Whether this is the selection that a column was made with.</summary>
    bool IsSame(object? known);
}

internal readonly struct OneSelection<T, TValue>(Func<T, TValue> value, string text) : ISelection<T, TValue>
{
    private readonly Func<T, TValue> _value = value;

    public string Text => text;

    public Func<T, TValue> Function => _value;

    public bool IsSame(object? known) =>
        known is OneSelection<T, TValue> other && text == other.Text && Selections.AreSame(other._value, _value, text);
}

/// <summary>When two selectors of one source text are the same.</summary>
internal static class Selections
{
    /// <summary>
    /// A lambda that is written twice is two functions, and the same where the closure is. Any other text (a variable, an element, a parameter) says
    /// nothing of what it holds: there the functions must be equal.
    /// </summary>
    internal static bool AreSame(Delegate known, Delegate function, string text) =>
        ReferenceEquals(known, function) || (IsLambda(text) ? ReferenceEquals(known.Target, function.Target) : known.Equals(function));

    internal static bool IsLambda(string text) => text.Contains("=>", StringComparison.Ordinal) || text.StartsWith("delegate", StringComparison.Ordinal);
}

internal readonly struct PairSelection<T, TFirst, TSecond>(Func<T, TFirst> first, Func<T, TSecond> second, string firstText, string secondText)
    : ISelection<T, (TFirst, TSecond)>
{
    private readonly Func<T, TFirst> _first = first;
    private readonly Func<T, TSecond> _second = second;
    private readonly string _firstText = firstText;
    private readonly string _secondText = secondText;

    public string Text => $"{_firstText}, {_secondText}";

    public Func<T, (TFirst, TSecond)> Function
    {
        get
        {
            var (first, second) = (_first, _second);
            return value => (first(value), second(value));
        }
    }

    public bool IsSame(object? known) => known is PairSelection<T, TFirst, TSecond> other
        && _firstText == other._firstText && _secondText == other._secondText
        && Selections.AreSame(other._first, _first, _firstText) && Selections.AreSame(other._second, _second, _secondText);
}
