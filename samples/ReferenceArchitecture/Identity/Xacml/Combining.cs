namespace IoT.Reference.Identity.Xacml;

/// <summary>What a rule or policy says, with the kinds of Indeterminate of XACML 3.0 (7.10).</summary>
internal enum Effect
{
    NotApplicable,
    Permit,
    Deny,

    /// <summary>It failed, and would have permitted or not have applied.</summary>
    IndeterminatePermit,
    IndeterminateDeny,

    /// <summary>It failed, and could have said either.</summary>
    IndeterminateEither,
}

/// <summary>How the answers of several become one (appendix C). The ordered algorithms are the plain ones: this evaluates in order always.</summary>
internal enum Combining
{
    DenyOverrides,
    PermitOverrides,
    FirstApplicable,
    OnlyOneApplicable,
    DenyUnlessPermit,
    PermitUnlessDeny,
}

/// <summary>The algorithms, with what is passed over as soon as the answer is sure.</summary>
internal static class CombiningAlgorithms
{
    internal static Combining? Of(string uri)
    {
        int at = uri.IndexOf("-combining-algorithm:", StringComparison.Ordinal);
        if (at < 0 || !uri.StartsWith("urn:oasis:names:tc:xacml:", StringComparison.Ordinal))
        {
            return null;
        }

        return uri[(at + "-combining-algorithm:".Length)..] switch
        {
            "deny-overrides" or "ordered-deny-overrides" => Combining.DenyOverrides,
            "permit-overrides" or "ordered-permit-overrides" => Combining.PermitOverrides,
            "first-applicable" => Combining.FirstApplicable,
            "only-one-applicable" => Combining.OnlyOneApplicable,
            "deny-unless-permit" => Combining.DenyUnlessPermit,
            "permit-unless-deny" => Combining.PermitUnlessDeny,
            _ => null,
        };
    }

    internal static Answer Combine(Combining algorithm, IReadOnlyList<PolicyNode> children, PolicyRequest request) => algorithm switch
    {
        Combining.DenyOverrides => Overrides(children, request, Effect.Deny, Effect.IndeterminateDeny, Effect.Permit, Effect.IndeterminatePermit),
        Combining.PermitOverrides => Overrides(children, request, Effect.Permit, Effect.IndeterminatePermit, Effect.Deny, Effect.IndeterminateDeny),
        Combining.DenyUnlessPermit => Unless(children, request, Effect.Permit, Effect.Deny),
        Combining.PermitUnlessDeny => Unless(children, request, Effect.Deny, Effect.Permit),
        Combining.OnlyOneApplicable => OnlyOne(children, request),
        _ => First(children, request),
    };

    private static Answer Overrides(IReadOnlyList<PolicyNode> children, PolicyRequest request, Effect strong, Effect strongFailed, Effect weak, Effect weakFailed)
    {
        var weakAnswer = Answer.NotApplicable;
        bool isEither = false, isStrongFailed = false, isWeakFailed = false;
        var strongAnswer = Answer.NotApplicable;
        for (int i = 0; i < children.Count; i++)
        {
            var answer = children[i].Evaluate(request);
            if (answer.Effect == strong)
            {
                // Obligations of others with the same effect would be wanted too; the standard lets a decision end here.
                return answer;
            }

            if (answer.Effect == weak)
            {
                weakAnswer = weakAnswer.Effect == weak ? weakAnswer.With(answer) : answer;
            }

            isEither |= answer.Effect == Effect.IndeterminateEither;
            isStrongFailed |= answer.Effect == strongFailed;
            isWeakFailed |= answer.Effect == weakFailed;
            strongAnswer = answer.Effect >= Effect.IndeterminatePermit && strongAnswer.Policy is null ? answer : strongAnswer;
        }

        return isEither || (isStrongFailed && (isWeakFailed || weakAnswer.Effect == weak)) ? new Answer(Effect.IndeterminateEither, strongAnswer.Policy)
            : isStrongFailed ? new Answer(strongFailed, strongAnswer.Policy)
            : weakAnswer.Effect == weak ? weakAnswer
            : isWeakFailed ? new Answer(weakFailed, strongAnswer.Policy)
            : Answer.NotApplicable;
    }

    private static Answer Unless(IReadOnlyList<PolicyNode> children, PolicyRequest request, Effect strong, Effect otherwise)
    {
        var rest = new Answer(otherwise);
        for (int i = 0; i < children.Count; i++)
        {
            var answer = children[i].Evaluate(request);
            if (answer.Effect == strong)
            {
                return answer;
            }

            rest = answer.Effect == otherwise ? rest.With(answer) : rest;
        }

        return rest;
    }

    private static Answer First(IReadOnlyList<PolicyNode> children, PolicyRequest request)
    {
        for (int i = 0; i < children.Count; i++)
        {
            var answer = children[i].Evaluate(request);
            if (answer.Effect != Effect.NotApplicable)
            {
                return answer;
            }
        }

        return Answer.NotApplicable;
    }

    private static Answer OnlyOne(IReadOnlyList<PolicyNode> children, PolicyRequest request)
    {
        PolicyNode? only = null;
        for (int i = 0; i < children.Count; i++)
        {
            bool? applies = children[i].Target.Matches(request);
            if (applies is null || (applies is true && only is not null))
            {
                return new Answer(Effect.IndeterminateEither, children[i].Id);
            }

            only = applies is true ? children[i] : only;
        }

        return only?.Evaluate(request) ?? Answer.NotApplicable;
    }
}
