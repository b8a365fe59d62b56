using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace IoT.Cep.Generators;

/// <summary>A pattern's chain of verbs, as far as it matters to what it may wait for: the same rule as the library's own, kept in step by a test.</summary>
internal sealed class PatternReader
{
    private readonly List<Node> _nodes;
    private readonly bool _hasSpan;

    private PatternReader(List<Node> nodes, bool hasSpan) => (_nodes, _hasSpan) = (nodes, hasSpan);

    private enum Inner
    {
        Next,
        Other,
    }

    /// <summary>Reads a chain that is written out; null where a part of it can't be seen.</summary>
    internal static PatternReader? Read(IOperation operation)
    {
        if (PatternAnalyzer.Unwrap(operation) is not IInvocationOperation call)
        {
            return null;
        }

        var type = call.TargetMethod.ContainingType;
        string verb = call.TargetMethod.Name;
        if (type.IsCep("Pattern") && verb is "AnyOf" or "AllOf")
        {
            return Several(call, verb == "AllOf");
        }

        if ((type.IsCep("Pattern") || type.IsCep("PatternOver")) && verb == "Begin")
        {
            return Then(new PatternReader([], false), call, "FollowedBy");
        }

        if (!type.IsCep("PatternChain") && !type.IsCep("Pattern") && !type.IsCep("RepeatedPattern") && !type.IsCep("NegatedPattern"))
        {
            return null;
        }

        return call.Instance is { } instance && Read(instance) is { } before ? Add(before, call, verb) : null;
    }

    /// <summary>What the pattern may wait for, or repeat, without end; null where there is nothing like that.</summary>
    internal string? FindUnbounded() => _hasSpan || _nodes.Count == 0 ? null
        : _nodes[_nodes.Count - 1] is { IsNot: true, IsNext: false, HasGap: false } absence ? absence.Name
        : Find(_nodes);

    /// <summary>The elements of a list that is written out.</summary>
    internal static IEnumerable<IOperation>? Elements(IOperation list) => PatternAnalyzer.Unwrap(list) switch
    {
        ICollectionExpressionOperation collection when !collection.Elements.Any(static one => one is ISpreadOperation) => collection.Elements.Select(PatternAnalyzer.Unwrap),
        IArrayCreationOperation { Initializer: { } initializer } => initializer.ElementValues.Select(PatternAnalyzer.Unwrap),
        _ => null,
    };

    private static string? Find(List<Node> nodes)
    {
        bool isFirst = true;
        foreach (var node in nodes)
        {
            bool waits = ((!isFirst || node.IsAllOf) && !node.IsNext) || (node.Max != 1 && node.Inner != Inner.Next);
            if (!node.IsNot && (node.Max is null || (waits && !node.HasGap)))
            {
                return node.Name;
            }

            foreach (var sequence in node.Sequences)
            {
                if (Find(sequence) is { } found)
                {
                    return found;
                }
            }

            isFirst = false;
        }

        return null;
    }

    private static PatternReader? Add(PatternReader before, IInvocationOperation call, string verb)
    {
        var last = before._nodes[before._nodes.Count - 1];
        switch (verb)
        {
            case "Next" or "FollowedBy" or "FollowedByAny":
                return Then(before, call, verb);
            case "NotNext" or "NotFollowedBy":
                return before.With(new Node(verb, verb == "NotNext") { IsNot = true });
            case "Within":
                return new PatternReader(before._nodes, true);
            case "MaxGap":
                return before.WithLast(last with { HasGap = true });
            case "Consecutive":
                return before.WithLast(last with { Inner = Inner.Next });
            case "AllCombinations":
                return before.WithLast(last with { Inner = Inner.Other });
            case "And" when last.IsAllOf:
                return before;
            case "And":
                return before.WithLast(new Node(last.Name, last.IsNext)
                {
                    IsAllOf = true,
                    HasGap = last.HasGap,
                    Sequences = [[last with { HasGap = false }], [new Node("And", false)]],
                });
            case "Or" or "Greedy" or "Until" or "AfterMatch":
                return before;
            default:
                return null;
        }
    }

    private static PatternReader? Then(PatternReader before, IInvocationOperation call, string verb)
    {
        var arguments = call.Arguments.ToDictionary(static one => one.Parameter!.Name, StringComparer.Ordinal);
        var node = new Node(NameOf(arguments, verb), verb == "Next");
        if (arguments.TryGetValue("times", out var times))
        {
            if (!TryMax(times.Value, out int? max))
            {
                return null;
            }

            node = node with { Max = max };
        }

        if (arguments.TryGetValue("group", out var group))
        {
            if (Read(group.Value) is not { } inside)
            {
                return null;
            }

            // A group that is nothing but alternatives, or parts in any order, is those.
            node = inside._nodes.Count == 1 && inside._nodes[0] is { Sequences.Count: > 0, IsNamed: false } only
                ? only with { IsNext = node.IsNext, Max = node.Max, IsNamed = arguments.ContainsKey("groups") }
                : node with { Sequences = [inside._nodes], IsNamed = arguments.ContainsKey("groups") };
        }

        return before.With(node);
    }

    private static PatternReader? Several(IInvocationOperation call, bool isAllOf)
    {
        var sequences = new List<List<Node>>();
        foreach (var part in call.Arguments.Length == 1 ? Elements(call.Arguments[0].Value) ?? [] : [])
        {
            if (Read(part) is not { } read)
            {
                return null;
            }

            sequences.Add(read._nodes);
        }

        return sequences.Count == 0 ? null
            : new PatternReader([new Node(call.TargetMethod.Name, false) { IsAllOf = isAllOf, Sequences = sequences }], false);
    }

    /// <summary>The upper bound of a number of times: 2 stands for any that is more than one.</summary>
    private static bool TryMax(IOperation times, out int? max)
    {
        max = null;
        switch (PatternAnalyzer.Unwrap(times))
        {
            case IPropertyReferenceOperation { Property: { Name: "OrNone", ContainingType: var type }, Instance: { } instance } when type.IsCep("Times"):
                return TryMax(instance, out max);
            case IPropertyReferenceOperation { Property.Name: "OneOrMore" or "ZeroOrMore" }:
                return true;
            case IPropertyReferenceOperation { Property.Name: "Optional" }:
                max = 1;
                return true;
            case IInvocationOperation { TargetMethod.Name: "AtLeast" }:
                return true;
            case IInvocationOperation { TargetMethod.Name: "Exactly" or "AtMost" or "Between", Arguments: var arguments }:
                if (arguments.FirstOrDefault(static one => one.Parameter?.Name is "max" or "count")?.Value.ConstantValue is { HasValue: true, Value: int count })
                {
                    max = Math.Min(count, 2);
                    return true;
                }

                return false;
            default:
                return false;
        }
    }

    private static string NameOf(Dictionary<string, IArgumentOperation> arguments, string verb)
    {
        foreach (string name in new[] { "step", "steps", "groups" })
        {
            if (arguments.TryGetValue(name, out var handle))
            {
                string text = handle.Value.Syntax.ToString();
                return text.Substring(text.LastIndexOf(' ') + 1);
            }
        }

        return verb;
    }

    private PatternReader With(Node node) => new([.. _nodes, node], _hasSpan);

    private PatternReader WithLast(Node node) => new([.. _nodes.Take(_nodes.Count - 1), node], _hasSpan);

    /// <summary>A step, a negation or a group.</summary>
    private sealed record Node(string Name, bool IsNext)
    {
        /// <summary>The upper bound of its repetitions; null where there is none.</summary>
        public int? Max { get; init; } = 1;

        public Inner Inner { get; init; } = Inner.Other;

        public bool HasGap { get; init; }

        public bool IsNot { get; init; }

        public bool IsAllOf { get; init; }

        public bool IsNamed { get; init; }

        public List<List<Node>> Sequences { get; init; } = [];
    }
}
