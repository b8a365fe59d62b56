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

    internal override void Collect(HashSet<RowVariable<T>> variables) => variables.Add(Variable);

    public override string ToString() => Variable.Name;
}

/// <summary>One part behind the other.</summary>
internal sealed record SequenceNode<T>(RowNode<T>[] Parts) : RowNode<T>
{
    protected override bool IsCompound => Parts.Length > 1;

    internal override long States => Parts.Sum(part => part.States);

    internal override bool IsUnbounded => Array.Exists(Parts, part => part.IsUnbounded);

    internal override void Collect(HashSet<RowVariable<T>> variables) => Array.ForEach(Parts, part => part.Collect(variables));

    public override string ToString() => string.Join(' ', Parts.Select(part => part is AlternativesNode<T> ? GroupedText(part) : part.ToString()));
}

/// <summary>One of several parts, the first that will do.</summary>
internal sealed record AlternativesNode<T>(RowNode<T>[] Parts) : RowNode<T>
{
    protected override bool IsCompound => true;

    internal override long States => Parts.Sum(part => part.States);

    internal override bool IsUnbounded => Array.Exists(Parts, part => part.IsUnbounded);

    internal override void Collect(HashSet<RowVariable<T>> variables) => Array.ForEach(Parts, part => part.Collect(variables));

    public override string ToString() => string.Join(" | ", Parts.AsEnumerable());
}

/// <summary>All of several parts in any order; of the orders, first the one in which they are written.</summary>
internal sealed record PermutedNode<T>(RowNode<T>[] Parts) : RowNode<T>
{
    protected override bool IsCompound => false;

    internal override long States => Parts.Sum(part => part.States) << Math.Min(Parts.Length, 32);

    internal override bool IsUnbounded => Array.Exists(Parts, part => part.IsUnbounded);

    internal override void Collect(HashSet<RowVariable<T>> variables) => Array.ForEach(Parts, part => part.Collect(variables));

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
