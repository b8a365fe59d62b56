namespace IoT.Cep.Testing;

/// <summary>A rule of a contract is broken.</summary>
#pragma warning disable CA1032 // the rule is what it is for
public sealed class ContractException : Exception
#pragma warning restore CA1032
{
    /// <summary>Tells which rule.</summary>
    /// <param name="rule">The rule.</param>
    /// <param name="message">What was seen, and what was expected.</param>
    /// <param name="inner">The error that showed it; null where there was none.</param>
    public ContractException(string rule, string message, Exception? inner = null)
        : base($"\"{rule}\" is broken: {message}", inner) => Rule = rule;

    /// <summary>The rule.</summary>
    public string Rule { get; }
}
