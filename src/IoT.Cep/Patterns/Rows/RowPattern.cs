using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>
/// Begins a row pattern, as SQL's <c>MATCH_RECOGNIZE</c> has them: variables, each with a definition, and an expression over them that neighbouring
/// rows must
/// fit. Every event of a key is a row, and nothing stands between the rows of a match.
/// </summary>
public static class RowPattern
{
    /// <summary>Begins with a variable and what must be true of its rows.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="variable">The variable's handle: <c>out var high</c>.</param>
    /// <param name="definition">What is true of its rows.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The definition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public static RowDefinitions<T> Define<T>(
        out RowVariable<T> variable, Func<T, bool> definition, [CallerArgumentExpression(nameof(variable))] string name = "",
        [CallerArgumentExpression(nameof(definition))] string text = "") => RowDefinitions<T>.Empty.Define(out variable, definition, name, text);

    /// <summary>Begins with a variable and what must be true of its rows and the match so far.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="variable">The variable's handle: <c>out var rising</c>.</param>
    /// <param name="definition">
    /// What is true: the row is in the match already, as its last one; <c>m.Taken</c> is the variable's own rows, <c>m.Previous()</c> the row before.
    /// </param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The definition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public static RowDefinitions<T> Define<T>(
        out RowVariable<T> variable, Func<T, PartialMatch<T>, bool> definition, [CallerArgumentExpression(nameof(variable))] string name = "",
        [CallerArgumentExpression(nameof(definition))] string text = "") => RowDefinitions<T>.Empty.Define(out variable, definition, name, text);

    /// <summary>Begins with a variable that any row fits.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="variable">The variable's handle: <c>out var any</c>.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    public static RowDefinitions<T> Define<T>(out RowVariable<T> variable, [CallerArgumentExpression(nameof(variable))] string name = "") =>
        RowDefinitions<T>.Empty.Define(out variable, name);

    /// <summary>Parts one behind the other, as one: <c>(b c)</c>.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="parts">Variables and expressions; at least one.</param>
    public static RowExpression<T> Group<T>(params ReadOnlySpan<IRowExpression<T>> parts) => new(Sequence(parts));

    /// <summary>
    /// All parts, one behind the other in any order: <c>PERMUTE(a, b)</c>. Where several orders would do, it is the one that comes first when they
    /// are sorted as the parts are written.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="parts">From one to sixteen variables and expressions.</param>
    public static RowExpression<T> Permute<T>(params ReadOnlySpan<IRowExpression<T>> parts)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(parts.Length, 16, nameof(parts));
        return new RowExpression<T>(new PermutedNode<T>(Nodes(parts)));
    }

    internal static RowNode<T> Sequence<T>(ReadOnlySpan<IRowExpression<T>> parts) => Nodes(parts) is [var one] ? one : new SequenceNode<T>(Nodes(parts));

    private static RowNode<T>[] Nodes<T>(ReadOnlySpan<IRowExpression<T>> parts)
    {
        ArgumentOutOfRangeException.ThrowIfZero(parts.Length, nameof(parts));
        var nodes = new RowNode<T>[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            ArgumentNullException.ThrowIfNull(parts[i], nameof(parts));
            nodes[i] = parts[i].Node;
        }

        return nodes;
    }
}

/// <summary>A row pattern's variables with their definitions. Immutable: each verb gives a new one.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public sealed class RowDefinitions<T>
{
    private readonly RowDefinition<T>[] _definitions;

    private RowDefinitions(RowDefinition<T>[] definitions) => _definitions = definitions;

    internal static RowDefinitions<T> Empty { get; } = new([]);

    /// <summary>One more variable, and what must be true of its rows.</summary>
    /// <param name="variable">The variable's handle: <c>out var high</c>.</param>
    /// <param name="definition">What is true of its rows.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The definition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public RowDefinitions<T> Define(
        out RowVariable<T> variable, Func<T, bool> definition, [CallerArgumentExpression(nameof(variable))] string name = "",
        [CallerArgumentExpression(nameof(definition))] string text = "") => With(out variable, Condition<T>.Of(definition, text), name);

    /// <summary>One more variable, and what must be true of its rows and the match so far.</summary>
    /// <param name="variable">The variable's handle: <c>out var falling</c>.</param>
    /// <param name="definition">
    /// What is true: the row is in the match already, as its last one; <c>m.Taken</c> is the variable's own rows, <c>m.Previous()</c> the row before.
    /// </param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    /// <param name="text">The definition's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public RowDefinitions<T> Define(
        out RowVariable<T> variable, Func<T, PartialMatch<T>, bool> definition, [CallerArgumentExpression(nameof(variable))] string name = "",
        [CallerArgumentExpression(nameof(definition))] string text = "") => With(out variable, Condition<T>.Of(definition, text), name);

    /// <summary>One more variable that any row fits.</summary>
    /// <param name="variable">The variable's handle: <c>out var any</c>.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    public RowDefinitions<T> Define(out RowVariable<T> variable, [CallerArgumentExpression(nameof(variable))] string name = "") =>
        With(out variable, Condition<T>.Of(static _ => true, "any"), name);

    /// <summary>The pattern that neighbouring rows must fit: <c>Pattern(a, b.ZeroOrMore(), c.Or(d))</c> is <c>a b* (c | d)</c>.</summary>
    /// <param name="parts">Variables and expressions over them, one behind the other.</param>
    /// <exception cref="ArgumentException">A variable is not defined here, or the pattern is too large.</exception>
    public RowPattern<T> Pattern(params ReadOnlySpan<IRowExpression<T>> parts)
    {
        var root = RowPattern.Sequence(parts);
        var used = new HashSet<RowVariable<T>>();
        root.Collect(used);
        foreach (var variable in used)
        {
            if (!Array.Exists(_definitions, definition => definition.Variable == variable))
            {
                throw new ArgumentException($"The variable '{variable}' is of another pattern: define it here, also where any row fits it.", nameof(parts));
            }
        }

        return root.States <= RowPattern<T>.MaxStates
            ? new RowPattern<T>(_definitions, root)
            : throw new ArgumentException($"The pattern '{root}' counts too far: its repetitions have {root.States:N0} states, and {RowPattern<T>.MaxStates:N0} are allowed.", nameof(parts));
    }

    private RowDefinitions<T> With(out RowVariable<T> variable, Condition<T> condition, string name)
    {
        variable = new RowVariable<T>(name);
        return new RowDefinitions<T>([.. _definitions, new RowDefinition<T>(variable, condition)]);
    }
}

/// <summary>A row pattern that can be matched. Immutable: each verb gives a new one.</summary>
/// <typeparam name="T">The event's type.</typeparam>
/// <remarks>
/// Of the ways in which rows fit, the preferred one is that which a search would find first: alternatives from left to right, of repetitions the
/// longest first,
/// of reluctant ones the shortest.
/// </remarks>
public sealed record RowPattern<T>
{
    // So many states, each with its ways out, take some ten megabytes once all of them have been met.
    internal const int MaxStates = 100_000;

    internal RowPattern(RowDefinition<T>[] definitions, RowNode<T> root) => (Definitions, Root) = (definitions, root);

    internal RowDefinition<T>[] Definitions { get; }

    internal RowNode<T> Root { get; }

    internal TimeSpan? Span { get; private init; }

    internal After After { get; private init; } = After.PastLastEvent;

    internal RowReport Report { get; private init; }

    internal bool GivesAll { get; private init; }

    internal int RowsBefore { get; private init; }

    /// <summary>A match is shorter than this, from its first row to its last. Rows are forgotten then.</summary>
    /// <param name="span">The span; a row exactly that much after the first is too late.</param>
    public RowPattern<T> Within(TimeSpan span) => Report != RowReport.AfterInterval
        ? this with { Span = Checked(span) }
        : throw new InvalidOperationException("A match after an interval lasts no longer than that: it has no Within besides.");

    /// <summary>Where the next match may begin: by default behind the last row, so that matches do not overlap.</summary>
    /// <param name="after">For example <see cref="After.ToNext"/>, or <c>After.ToLast(b).Strict()</c>, which is SQL's.</param>
    public RowPattern<T> AfterMatch(After after)
    {
        ArgumentNullException.ThrowIfNull(after);
        return after.Target is null || Array.Exists(Definitions, definition => definition.Variable == after.Target)
            ? this with { After = after }
            : throw new ArgumentException($"'{after.Target}' is no variable of '{this}'.", nameof(after));
    }

    /// <summary>
    /// A match is given once it is certain: when no row can lead to one that is preferred. So <c>b*</c> at the end takes all there are, as in SQL.
    /// Where this is not said, each row
    /// is asked whether a match ends with it.
    /// </summary>
    public RowPattern<T> WhenDecided() => this with { Report = RowReport.WhenDecided, GivesAll = false };

    /// <summary>
    /// A match is given so long after its first row: the preferred one over the rows until then, in the place of <see cref="Within"/>.
    /// </summary>
    /// <param name="interval">The interval; a row exactly that much after the first is too late.</param>
    public RowPattern<T> AfterInterval(TimeSpan interval) => this with { Span = Checked(interval), Report = RowReport.AfterInterval, GivesAll = false };

    /// <summary>Every match that ends with a row is given, not only the one that begins first and is preferred.</summary>
    public RowPattern<T> AllMatches() => Report == RowReport.AtOnce
        ? this with { GivesAll = true }
        : throw new InvalidOperationException("Only one of a row's matches is preferred, and given later: all of them are given at once.");

    /// <summary>
    /// How many rows before a match its definitions see with <c>m.Previous(n)</c>: SQL's <c>PREV</c>. By default none. Each key then keeps so many
    /// rows for as long as the query
    /// runs: bounded by <c>KeyBy(..., maxKeys)</c>.
    /// </summary>
    /// <param name="rows">From 0 to 10,000.</param>
    public RowPattern<T> Lookback(int rows)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, 10_000);
        return this with { RowsBefore = rows };
    }

    /// <summary>As SQL writes it: <c>a b* (c | d)</c>.</summary>
    public override string ToString()
    {
        string report = Report switch { RowReport.WhenDecided => " when decided", RowReport.AfterInterval => $" after {Span}", _ => GivesAll ? " all" : "" };
        string within = Span is { } span && Report != RowReport.AfterInterval ? $" within {span}" : "";
        return $"{Root}{within}{report}{(After.Kind == AfterKind.PastLastEvent ? "" : $", then {After}")}";
    }

    /// <summary>Checks a pattern when it is to be matched.</summary>
    internal void RequireBounds(string parameter)
    {
        if (Span is null && Root.IsUnbounded)
        {
            throw new ArgumentException($"A match of the pattern '{this}' could go on for ever: say how long with .Within(...).", parameter);
        }
    }

    private static TimeSpan Checked(TimeSpan span)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(span, TimeSpan.Zero);
        TimeWindows.ThrowIfTooLong(span, nameof(span));
        return span;
    }
}

/// <summary>A variable and what must be true of its rows.</summary>
internal sealed record RowDefinition<T>(RowVariable<T> Variable, Condition<T> Condition);

/// <summary>When a match is given.</summary>
internal enum RowReport
{
    /// <summary>At the row with which it ends.</summary>
    AtOnce,

    /// <summary>When none that is preferred can come any more.</summary>
    WhenDecided,

    /// <summary>A fixed time after its first row.</summary>
    AfterInterval,
}
