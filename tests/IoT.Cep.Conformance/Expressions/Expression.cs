namespace IoT.Cep.Conformance;

/// <summary>Gives an expression's value.</summary>
internal delegate Value Evaluator(in Scope scope);

/// <summary>An expression of the cases' language, compiled to delegates.</summary>
/// <param name="Text">As it is written.</param>
/// <param name="Evaluate">Its value.</param>
/// <param name="Names">The steps whose events it mentions; where there are none it is about the current event alone.</param>
/// <param name="Lists">Those of them of which it wants more than the last event.</param>
internal sealed record Expression(string Text, Evaluator Evaluate, IReadOnlySet<string> Names, IReadOnlySet<string> Lists)
{
    /// <exception cref="FormatException">It is not of the language.</exception>
    internal static Expression Parse(string text) => new ExpressionParser(text).Parse();
}
