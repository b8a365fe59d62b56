namespace IoT.Cep.Conformance;

/// <summary>Says a case's pattern with the library's own verbs.</summary>
internal sealed class PatternBuilder
{
    // The library refuses a pattern without a bound; no case is that long.
    private static readonly TimeSpan _long = TimeSpan.FromDays(365);

    private readonly HashSet<string> _lists = new(StringComparer.Ordinal);

    internal Handles Handles { get; } = new();

    internal Dictionary<GroupElement, Group<Row>> Groups { get; } = new(ReferenceEqualityComparer.Instance);

    /// <summary>The library wants a pattern to take something; no match is ever empty, so a single optional element is the same as one that is not.</summary>
    internal static Element[] AtLeastOne(Element[] elements) =>
        elements is [{ Quantifier: { IsOptional: true } optional } only] ? [only with { Quantifier = optional with { IsOptional = false } }] : elements;

    internal Pattern<Row> Build(Case one, Element[] elements)
    {
        FindLists(elements);
        var pattern = Chain(elements).Within(one.WithinMs is { } within ? TimeSpan.FromMilliseconds(within) : _long);
        return one.Skip == "none" ? pattern : pattern.AfterMatch(AfterOf(one));
    }

    private After AfterOf(Case one)
    {
        After after;
        switch (one.Skip.Split(':'))
        {
            case ["toNext"]:
                return After.ToNext;
            case ["pastLast"]:
                return After.PastLastEvent;
            case ["toFirst", var name]:
                after = After.ToFirst(Require(name));
                break;
            case ["toLast", var name]:
                after = After.ToLast(Require(name));
                break;
            default:
                throw new NotSupportedException($"There is no skip mode '{one.Skip}'.");
        }

        return one.IsSkipStrict ? after.Strict() : after;
    }

    private Step Require(string name) => Handles.Find(name) ?? throw new NotSupportedException($"There is no element '{name}' to skip to.");

    private PatternChain<Row> Chain(Element[] elements)
    {
        PatternChain<Row>? chain = null;
        foreach (var element in elements)
        {
            chain = element switch
            {
                StepElement step => Step(chain, step),
                NotElement not => Not(chain ?? throw new NotSupportedException("A pattern can't begin with a negation."), not),
                GroupElement group => Group(chain, group),
                _ => throw new System.Diagnostics.UnreachableException(),
            };
        }

        return chain!;
    }

    private Pattern<Row> Step(PatternChain<Row>? chain, StepElement step)
    {
        var condition = new Condition(step.Where, Handles, step.Name);
        bool isFirstAndDependent = chain is null && condition.OnMatch is not null;
        if (step.Quantifier is null && step.Until is null && !isFirstAndDependent && !_lists.Contains(step.Name))
        {
            var one = One(chain, step, condition);
            return step.MaxGapMs is { } span ? one.MaxGap(TimeSpan.FromMilliseconds(span)) : one;
        }

        var repeated = Many(chain, step, step.Quantifier?.ToTimes() ?? Times.Exactly(1), condition);
        repeated = step.MaxGapMs is { } gap ? repeated.MaxGap(TimeSpan.FromMilliseconds(gap)) : repeated;
        return Repeated(repeated, step, step.Name);
    }

    private Pattern<Row> One(PatternChain<Row>? chain, StepElement step, Condition condition)
    {
        var (name, text) = (step.Name, condition.Text);
        Step<Row> handle;
        var pattern = (condition.OnMatch, chain, step.Contiguity) switch
        {
            (null, null, _) => Pattern.Begin(out handle, condition.OnEvent!, name, text),
            (null, _, "next") => chain.Next(out handle, condition.OnEvent!, name, text),
            (null, _, "followedBy") => chain.FollowedBy(out handle, condition.OnEvent!, name, text),
            (null, _, _) => chain.FollowedByAny(out handle, condition.OnEvent!, name, text),
            ({ } onMatch, _, "next") => chain!.Next(out handle, onMatch, name, text),
            ({ } onMatch, _, "followedBy") => chain!.FollowedBy(out handle, onMatch, name, text),
            ({ } onMatch, _, _) => chain!.FollowedByAny(out handle, onMatch, name, text),
        };
        Handles.Add(name, handle);
        return pattern;
    }

    private RepeatedPattern<Row> Many(PatternChain<Row>? chain, StepElement step, Times times, Condition condition)
    {
        var (name, text) = (step.Name, condition.Text);
        Steps<Row> handle;
        var pattern = (condition.OnMatch, chain, step.Contiguity) switch
        {
            (null, null, _) => Pattern.Begin(out handle, times, condition.OnEvent!, name, text),
            (null, _, "next") => chain.Next(out handle, times, condition.OnEvent!, name, text),
            (null, _, "followedBy") => chain.FollowedBy(out handle, times, condition.OnEvent!, name, text),
            (null, _, _) => chain.FollowedByAny(out handle, times, condition.OnEvent!, name, text),
            ({ } onMatch, null, _) => Pattern.Begin(out handle, times, onMatch, name, text),
            ({ } onMatch, _, "next") => chain.Next(out handle, times, onMatch, name, text),
            ({ } onMatch, _, "followedBy") => chain.FollowedBy(out handle, times, onMatch, name, text),
            ({ } onMatch, _, _) => chain.FollowedByAny(out handle, times, onMatch, name, text),
        };
        Handles.Add(name, handle);
        return pattern;
    }

    private Pattern<Row> Group(PatternChain<Row>? chain, GroupElement group)
    {
        var inner = (Pattern<Row>)Chain(group.Elements);
        if (group.Quantifier is null && group.Until is null)
        {
            return (chain, group.Contiguity) switch
            {
                (null, _) => Pattern.Begin(inner),
                (_, "next") => chain.Next(inner),
                (_, "followedBy") => chain.FollowedBy(inner),
                _ => chain.FollowedByAny(inner),
            };
        }

        if (group.Quantifier is { IsGreedy: true })
        {
            throw new NotSupportedException("Greedy groups are not part of the notation.");
        }

        var times = group.Quantifier?.ToTimes() ?? Times.Exactly(1);
        Group<Row> handle;
        var pattern = (chain, group.Contiguity) switch
        {
            (null, _) => Pattern.Begin(out handle, times, inner, "group"),
            (_, "next") => chain.Next(out handle, times, inner, "group"),
            (_, "followedBy") => chain.FollowedBy(out handle, times, inner, "group"),
            _ => chain.FollowedByAny(out handle, times, inner, "group"),
        };
        Groups.Add(group, handle);
        return Repeated(pattern, group, own: null);
    }

    private RepeatedPattern<Row> Repeated(RepeatedPattern<Row> pattern, Element element, string? own)
    {
        pattern = element.Quantifier?.Inner switch
        {
            "strict" => pattern.Consecutive(),
            "nondeterministic" => pattern.AllCombinations(),
            _ => pattern,
        };
        pattern = element.Quantifier is { IsGreedy: true } ? pattern.Greedy() : pattern;
        if (element.Until is null)
        {
            return pattern;
        }

        var until = new Condition(element.Until, Handles, own);
        return until.OnMatch is { } onMatch ? pattern.Until(onMatch, until.Text) : pattern.Until(until.OnEvent!, until.Text);
    }

    private PatternChain<Row> Not(PatternChain<Row> chain, NotElement not)
    {
        var condition = new Condition(not.Where, Handles, own: null);
        var negated = (condition.OnMatch, not.Contiguity) switch
        {
            (null, "next") => chain.NotNext(condition.OnEvent!, condition.Text),
            (null, _) => chain.NotFollowedBy(condition.OnEvent!, condition.Text),
            ({ } onMatch, "next") => chain.NotNext(onMatch, condition.Text),
            ({ } onMatch, _) => chain.NotFollowedBy(onMatch, condition.Text),
        };
        return not.MaxGapMs is { } gap ? negated.MaxGap(TimeSpan.FromMilliseconds(gap)) : negated;
    }

    /// <summary>The steps of which some expression wants more than the last event: they need a handle that is a list.</summary>
    private void FindLists(Element[] elements)
    {
        foreach (var element in elements)
        {
            string? where = element switch { StepElement step => step.Where, NotElement not => not.Where, _ => null };
            foreach (string text in new[] { where, element.Until }.OfType<string>())
            {
                _lists.UnionWith(Expression.Parse(text).Lists);
            }

            if (element is GroupElement group)
            {
                FindLists(group.Elements);
            }
        }
    }

    /// <summary>An expression as the library takes it: on the event alone where it mentions no step, else on the match so far as well.</summary>
    private sealed class Condition
    {
        internal Condition(string? text, Handles handles, string? own)
        {
            var expression = Expression.Parse(text ?? "true");
            Text = expression.Text;
            if (expression.Names.Count == 0)
            {
                OnEvent = row => expression.Evaluate(new Scope(row)).IsTrue;
            }
            else
            {
                OnMatch = (row, match) => expression.Evaluate(new Scope(row, match, handles, own)).IsTrue;
            }
        }

        internal string Text { get; }

        internal Func<Row, bool>? OnEvent { get; }

        internal Func<Row, PartialMatch<Row>, bool>? OnMatch { get; }
    }
}
