namespace IoT.Cep;

/// <summary>Refuses patterns whose partial matches could wait, and grow, for ever.</summary>
internal static class PatternBounds
{
    /// <summary>Checks a pattern when it is to be matched.</summary>
    /// <exception cref="ArgumentException">It has no <c>Within</c> and could wait for ever, or takes no event at all.</exception>
    internal static void Require<T>(Pattern<T> pattern)
    {
        if (!TakesSomething(pattern.Nodes))
        {
            throw new ArgumentException($"The pattern '{pattern}' would match without any event: one of its steps must not be optional.", nameof(pattern));
        }

        if (pattern.Nodes[0] is NotNode<T>)
        {
            throw new ArgumentException($"The pattern '{pattern}' begins with a negation: begin with the event that it must not follow.", nameof(pattern));
        }

        if (pattern.Span is not null)
        {
            return;
        }

        if (pattern.Nodes[^1] is NotNode<T> { How: not Contiguity.Next, MaxGap: long.MaxValue })
        {
            throw new ArgumentException($"The pattern '{pattern}' waits for an absence: say how long with .Within(...).", nameof(pattern));
        }

        if (Find(pattern.Nodes, isFirst: true) is { } unbounded)
        {
            throw new ArgumentException(
                $"The pattern '{pattern}' would remember a first event for ever where no '{unbounded}' comes, or where it never ends: say how long with .Within(...).", nameof(pattern));
        }
    }

    private static bool TakesSomething<T>(PatternNode<T>[] nodes) => Array.Exists(nodes, node => !node.Times.IsOptional && node switch
    {
        StepNode<T> => true,
        GroupNode<T> { IsAllOf: true } all => Array.Exists(all.Sequences, TakesSomething),
        GroupNode<T> any => Array.TrueForAll(any.Sequences, TakesSomething),
        _ => false,
    });

    /// <summary>What may be waited for without end, or repeated without end.</summary>
    private static PatternNode<T>? Find<T>(PatternNode<T>[] nodes, bool isFirst)
    {
        foreach (var node in nodes)
        {
            bool waits = ((!isFirst || node is GroupNode<T> { IsAllOf: true }) && node.How != Contiguity.Next) || (node.Times.Max != 1 && node.Inner != Contiguity.Next);
            if (node is not NotNode<T> && (node.Times.Max is null || (waits && node.MaxGap == long.MaxValue)))
            {
                return node;
            }

            if (node is GroupNode<T> group)
            {
                foreach (var sequence in group.Sequences)
                {
                    if (Find(sequence, isFirst: true) is { } found)
                    {
                        return found;
                    }
                }
            }

            isFirst = false;
        }

        return null;
    }
}
