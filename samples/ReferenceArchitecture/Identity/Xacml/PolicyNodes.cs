namespace IoT.Reference.Identity.Xacml;

/// <summary>What the enforcement point must do, or may (advice).</summary>
internal sealed record Obligation(string Id, IReadOnlyList<(string Attribute, string Value)> Values);

/// <summary>A decision on its way.</summary>
/// <param name="Policy">The policy it comes from.</param>
internal sealed record Answer(Effect Effect, string? Policy = null, IReadOnlyList<Obligation>? Obligations = null)
{
    internal static Answer NotApplicable { get; } = new(Effect.NotApplicable);

    internal Answer With(Answer other) => other.Obligations is null && Policy is not null
        ? this
        : this with { Policy = Policy ?? other.Policy, Obligations = other.Obligations is null ? Obligations : [.. Obligations ?? [], .. other.Obligations] };
}

/// <summary>Whom and what something is about: all of several, each any of several, each all of several matches.</summary>
internal sealed record Target(Match[][][] AnyOfs)
{
    internal static Target Everything { get; } = new([]);

    /// <summary>Null: it could not be found out.</summary>
    internal bool? Matches(PolicyRequest request)
    {
        bool isSure = true;
        foreach (var anyOf in AnyOfs)
        {
            switch (MatchesAny(anyOf, request))
            {
                case false:
                    return false;
                case null:
                    isSure = false;
                    break;
            }
        }

        return isSure ? true : null;
    }

    private static bool? MatchesAny(Match[][] anyOf, PolicyRequest request)
    {
        bool isSure = true;
        foreach (var allOf in anyOf)
        {
            bool? all = true;
            foreach (var match in allOf)
            {
                bool? one = match.Matches(request);
                if (one is false)
                {
                    all = false;
                    break;
                }

                all = one is null ? null : all;
            }

            if (all is true)
            {
                return true;
            }

            isSure &= all is not null;
        }

        return isSure ? false : null;
    }
}

/// <summary>One value of the policy against any of the request's.</summary>
internal sealed record Match(Function Function, object Value, Expression Attribute)
{
    internal bool? Matches(PolicyRequest request)
    {
        if (Attribute.Evaluate(request) is not object[] values)
        {
            return null;
        }

        bool isSure = true;
        foreach (object value in values)
        {
            switch (Function.Invoke([Value, value]))
            {
                case true:
                    return true;
                case Failure:
                    isSure = false;
                    break;
            }
        }

        return isSure ? false : null;
    }
}

internal sealed record ObligationExpression(string Id, Effect FulfilOn, (string Attribute, Expression Value)[] Assignments)
{
    /// <summary>Null: a value could not be found.</summary>
    internal Obligation? Make(PolicyRequest request)
    {
        var values = new List<(string, string)>(Assignments.Length);
        foreach (var (attribute, expression) in Assignments)
        {
            switch (expression.Evaluate(request))
            {
                case Failure:
                    return null;
                case object[] bag:
                    values.AddRange(bag.Select(v => (attribute, DataTypes.Write(v))));
                    break;
                case var value:
                    values.Add((attribute, DataTypes.Write(value)));
                    break;
            }
        }

        return new Obligation(Id, values);
    }
}

/// <summary>A rule, policy or policy set.</summary>
internal abstract record PolicyNode(string Id, Target Target, ObligationExpression[] Obligations)
{
    internal Answer Evaluate(PolicyRequest request)
    {
        bool? applies = Target.Matches(request);
        if (applies is false)
        {
            return Answer.NotApplicable;
        }

        // A target that fails hides what is inside, which tells what kind of Indeterminate it is (7.11, 7.14, table 7).
        var answer = Decide(request);
        return applies is true ? WithObligations(answer, request) : Failed(answer);
    }

    private protected abstract Answer Decide(PolicyRequest request);

    private static Answer Failed(Answer answer) => answer.Effect switch
    {
        Effect.Permit => new Answer(Effect.IndeterminatePermit, answer.Policy),
        Effect.Deny => new Answer(Effect.IndeterminateDeny, answer.Policy),
        _ => answer with { Obligations = null },
    };

    private Answer WithObligations(Answer answer, PolicyRequest request)
    {
        if (Obligations.Length == 0 || answer.Effect is not (Effect.Permit or Effect.Deny))
        {
            return answer;
        }

        List<Obligation> all = [.. answer.Obligations ?? []];
        foreach (var expression in Obligations)
        {
            if (expression.FulfilOn == answer.Effect)
            {
                if (expression.Make(request) is not { } obligation)
                {
                    return Failed(answer);
                }

                all.Add(obligation);
            }
        }

        return answer with { Obligations = all.Count > 0 ? all : null };
    }
}

internal sealed record Rule(string Id, Effect Effect, Target Target, Expression? Condition, ObligationExpression[] Obligations) : PolicyNode(Id, Target, Obligations)
{
    // One object for all times: rules are asked by the thousand in a second.
    private readonly Answer _answer = new(Effect), _failed = new(Effect == Effect.Permit ? Effect.IndeterminatePermit : Effect.IndeterminateDeny);

    private protected override Answer Decide(PolicyRequest request) => Condition?.Evaluate(request) switch
    {
        null or true => _answer,
        false => Answer.NotApplicable,
        _ => _failed,
    };
}

internal sealed record PolicyGroup(string Id, Target Target, Combining Combining, IReadOnlyList<PolicyNode> Children, ObligationExpression[] Obligations)
    : PolicyNode(Id, Target, Obligations)
{
    private protected override Answer Decide(PolicyRequest request)
    {
        var answer = CombiningAlgorithms.Combine(Combining, Children, request);
        return answer.Effect == Effect.NotApplicable || answer.Policy is not null ? answer : answer with { Policy = Id };
    }
}
