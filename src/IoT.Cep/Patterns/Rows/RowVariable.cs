namespace IoT.Cep;

/// <summary>What a row pattern is made of: a variable, or an expression over variables.</summary>
/// <typeparam name="T">The event's type.</typeparam>
#pragma warning disable CA1040 // what it hides is what it is for: variables and expressions alone are such
public interface IRowExpression<T>
#pragma warning restore CA1040
{
    internal RowNode<T> Node { get; }
}

/// <summary>
/// A row pattern's variable: what <c>out var rising</c> declares. It stands in the pattern for a row of which its definition is true;
/// <c>m[rising]</c> is the list of its rows.
/// </summary>
/// <typeparam name="T">The event's type.</typeparam>
public sealed class RowVariable<T> : Steps<T>, IRowExpression<T>
{
    private readonly VariableNode<T> _node;

    internal RowVariable(string text)
        : base(text) => _node = new VariableNode<T>(this);

    RowNode<T> IRowExpression<T>.Node => _node;
}

/// <summary>An expression over a row pattern's variables.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public sealed class RowExpression<T> : IRowExpression<T>
{
    private readonly RowNode<T> _node;

    internal RowExpression(RowNode<T> node) => _node = node;

    RowNode<T> IRowExpression<T>.Node => _node;

    /// <summary>As SQL writes it: <c>a (b | c)* d</c>.</summary>
    public override string ToString() => _node.ToString();
}

/// <summary>A repeated or optional part of a row pattern. It takes as many rows as it can, unless it is <see cref="Reluctant"/>.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public sealed class RowRepetition<T> : IRowExpression<T>
{
    private readonly RepeatedNode<T> _node;

    internal RowRepetition(RepeatedNode<T> node) => _node = node;

    RowNode<T> IRowExpression<T>.Node => _node;

    /// <summary>It takes as few rows as it can: <c>b*?</c>.</summary>
    public RowExpression<T> Reluctant() => new(_node with { IsGreedy = false });

    /// <summary>As SQL writes it: <c>b*</c>.</summary>
    public override string ToString() => _node.ToString();
}

/// <summary>How often a part of a row pattern occurs, and what else may stand in its place.</summary>
public static class RowExpressions
{
    /// <summary>Any number of times: <c>b*</c>.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="part">A variable or an expression.</param>
    public static RowRepetition<T> ZeroOrMore<T>(this IRowExpression<T> part) => Repeat(part, 0, null);

    /// <summary>At least once: <c>b+</c>.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="part">A variable or an expression.</param>
    public static RowRepetition<T> OneOrMore<T>(this IRowExpression<T> part) => Repeat(part, 1, null);

    /// <summary>Once or not at all: <c>b?</c>.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="part">A variable or an expression.</param>
    public static RowRepetition<T> Optional<T>(this IRowExpression<T> part) => Repeat(part, 0, 1);

    /// <summary>So many times: <c>b{3}</c>.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="part">A variable or an expression.</param>
    /// <param name="count">From 1 to <see cref="Cep.Times.MaxBound"/>.</param>
    public static RowRepetition<T> Times<T>(this IRowExpression<T> part, int count) => Repeat(part, count, count);

    /// <summary>From so many to so many times: <c>b{2,3}</c>.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="part">A variable or an expression.</param>
    /// <param name="min">From 0.</param>
    /// <param name="max">From 1 and <paramref name="min"/> to <see cref="Cep.Times.MaxBound"/>.</param>
    public static RowRepetition<T> Times<T>(this IRowExpression<T> part, int min, int max) => Repeat(part, min, max);

    /// <summary>So many times or more: <c>b{2,}</c>.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="part">A variable or an expression.</param>
    /// <param name="count">From 0 to <see cref="Cep.Times.MaxBound"/>.</param>
    public static RowRepetition<T> AtLeast<T>(this IRowExpression<T> part, int count) => Repeat(part, count, null);

    /// <summary>So many times at most, or not at all: <c>b{,3}</c>.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="part">A variable or an expression.</param>
    /// <param name="count">From 1 to <see cref="Cep.Times.MaxBound"/>.</param>
    public static RowRepetition<T> AtMost<T>(this IRowExpression<T> part, int count) => Repeat(part, 0, count);

    /// <summary>This or the other: <c>b | c</c>. Where both would do, it is the left one.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="left">A variable or an expression.</param>
    /// <param name="right">What may stand in its place.</param>
    public static RowExpression<T> Or<T>(this IRowExpression<T> left, IRowExpression<T> right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        return new RowExpression<T>(left is RowExpression<T> { } && left.Node is AlternativesNode<T> first
            ? new AlternativesNode<T>([.. first.Parts, right.Node])
            : new AlternativesNode<T>([left.Node, right.Node]));
    }

    /// <summary>This, and the other right behind it: <c>b c</c>.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="first">A variable or an expression.</param>
    /// <param name="second">What comes behind it.</param>
    public static RowExpression<T> Then<T>(this IRowExpression<T> first, IRowExpression<T> second) => RowPattern.Group(first, second);

    private static RowRepetition<T> Repeat<T>(IRowExpression<T> part, int min, int? max)
    {
        ArgumentNullException.ThrowIfNull(part);
        ArgumentOutOfRangeException.ThrowIfNegative(min);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(min, Cep.Times.MaxBound);
        if (max is { } most)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(most, Math.Max(1, min), nameof(max));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(most, Cep.Times.MaxBound, nameof(max));
        }

        return new RowRepetition<T>(new RepeatedNode<T>(part.Node, min, max, IsGreedy: true));
    }
}
