using System.Diagnostics;
using System.Numerics;

namespace IoT.Cep;

/// <summary>
/// One element of a row pattern, immutable. Compared by reference: the same part in two places is one node, which is told apart by what follows it.
/// </summary>
internal abstract record RowNode<T>
{
    /// <summary>Whether it must stand in parentheses where it is repeated.</summary>
    protected abstract bool IsCompound { get; }

    /// <summary>How many states it has at most; each count of a repetition is one.</summary>
    internal abstract long States { get; }

    /// <summary>Whether it may take rows without end.</summary>
    internal abstract bool IsUnbounded { get; }

    /// <summary>Whether there is one way alone in which rows can fit it.</summary>
    internal abstract bool IsPlain { get; }

    internal abstract void Collect(HashSet<RowVariable<T>> variables);

    protected string Grouped => IsCompound ? $"({this})" : ToString()!;

    protected static string GroupedText(RowNode<T> node) => node.Grouped;
}

/// <summary>A row of which the variable's definition is true.</summary>
internal sealed record VariableNode<T>(RowVariable<T> Variable) : RowNode<T>
{
    protected override bool IsCompound => false;

    internal override long States => 1;

    internal override bool IsUnbounded => false;

    internal override bool IsPlain => true;

    internal override void Collect(HashSet<RowVariable<T>> variables) => variables.Add(Variable);

    public override string ToString() => Variable.Name;
}

/// <summary>One part behind the other.</summary>
internal sealed record SequenceNode<T>(RowNode<T>[] Parts) : RowNode<T>
{
    protected override bool IsCompound => Parts.Length > 1;

    internal override long States => Parts.Sum(part => part.States);

    internal override bool IsUnbounded => Array.Exists(Parts, part => part.IsUnbounded);

    internal override bool IsPlain => Array.TrueForAll(Parts, part => part.IsPlain);

    internal override void Collect(HashSet<RowVariable<T>> variables) => Array.ForEach(Parts, part => part.Collect(variables));

    public override string ToString() => string.Join(' ', Parts.Select(part => part is AlternativesNode<T> ? GroupedText(part) : part.ToString()));
}

/// <summary>One of several parts, the first that will do.</summary>
internal sealed record AlternativesNode<T>(RowNode<T>[] Parts) : RowNode<T>
{
    protected override bool IsCompound => true;

    internal override long States => Parts.Sum(part => part.States);

    internal override bool IsUnbounded => Array.Exists(Parts, part => part.IsUnbounded);

    internal override bool IsPlain => false;

    internal override void Collect(HashSet<RowVariable<T>> variables) => Array.ForEach(Parts, part => part.Collect(variables));

    public override string ToString() => string.Join(" | ", Parts.AsEnumerable());
}

/// <summary>
/// All of several parts in any order; of the orders, first the one in which they are written. An order is decided before any way in which a part fits: what fits
/// in several ways is tried in all of them for the first order, before the next order is.
/// </summary>
internal sealed record PermutedNode<T>(RowNode<T>[] Parts) : RowNode<T>
{
    // A part of an order has four bits: its number and one, so that none is left where there are only zeros. More parts have too many orders anyway.
    private const int PartBits = 4;
    private const int MaxOrdered = 7;

    protected override bool IsCompound => false;

    internal override long States => Math.Min(Parts.Sum(part => part.States) * (OrdersFirst ? Orders : 1L << Parts.Length), int.MaxValue);

    /// <summary>Whether parts that can fit in several ways have others behind them that may stand in several orders.</summary>
    private bool OrdersFirst => Parts.Length > 2 && !Array.TrueForAll(Parts, part => part.IsPlain);

    /// <summary>How many orders there are; of more parts than have room in a place, too many in any case.</summary>
    private long Orders
    {
        get
        {
            long orders = 1;
            for (int i = 2; i <= Parts.Length && i <= MaxOrdered + 1; i++)
            {
                orders *= i;
            }

            return orders;
        }
    }

    internal override bool IsUnbounded => Array.Exists(Parts, part => part.IsUnbounded);

    internal override bool IsPlain => false;

    internal override void Collect(HashSet<RowVariable<T>> variables) => Array.ForEach(Parts, part => part.Collect(variables));

    /// <summary>Whether a place says which parts are still to come, and in which order; else it has a bit for each part that is done.</summary>
    internal static bool IsOrdered(int at) => at < 0;

    /// <summary>The part that comes next, and the place behind it, if there is one.</summary>
    internal static (int Part, int? Behind) Next(int at)
    {
        int rest = ~at >> PartBits;
        return ((~at & ((1 << PartBits) - 1)) - 1, rest == 0 ? null : ~rest);
    }

    /// <summary>The places of all orders of some parts, the preferred ones first.</summary>
    internal IEnumerable<int> OrdersOf(int parts)
    {
        Debug.Assert(BitOperations.PopCount((uint)parts) < MaxOrdered, "A pattern with more orders has too many states.");
        return parts == 0
            ? [~0]
            : Enumerable.Range(0, Parts.Length).Where(part => (parts >> part & 1) != 0)
                .SelectMany(part => OrdersOf(parts & ~(1 << part)).Select(rest => ~((~rest << PartBits) | (part + 1))));
    }

    public override string ToString() => $"PERMUTE({string.Join(", ", Parts.AsEnumerable())})";
}

/// <summary>A part several times.</summary>
internal sealed record RepeatedNode<T>(RowNode<T> Part, int Min, int? Max, bool IsGreedy) : RowNode<T>
{
    protected override bool IsCompound => true;

    internal override long States => Math.Min(Part.States * (Max ?? Min + 1L), int.MaxValue);

    internal override bool IsUnbounded => Max is null || Part.IsUnbounded;

    /// <summary>Where there is no upper bound, only whether the lower one is passed tells one count from another.</summary>
    internal int Clamp(int count) => Max is null ? Math.Min(count, Min + 1) : count;

    internal override bool IsPlain => Min == Max && Part.IsPlain;

    internal override void Collect(HashSet<RowVariable<T>> variables) => Part.Collect(variables);

    public override string ToString()
    {
        string times = (Min, Max) switch
        {
            (0, null) => "*",
            (1, null) => "+",
            (0, 1) => "?",
            (int min, null) => $"{{{min},}}",
            (0, int max) => $"{{,{max}}}",
            (int min, int max) => min == max ? $"{{{min}}}" : $"{{{min},{max}}}",
        };
        return $"{GroupedText(Part)}{times}{(IsGreedy ? "" : "?")}";
    }
}
