using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace IoT.Cep.Generators;

/// <summary>Goes through a projection in the order in which it runs and notes which aggregates are asked for in every run.</summary>
internal sealed class ProjectionWalker : OperationWalker
{
    // Arguments that choose among the results of one state.
    private static readonly HashSet<string> _resultOnly = new(StringComparer.Ordinal) { "part", "parts", "interpolation", "extrapolate" };

    private readonly List<(string Selector, IInvocationOperation Call)> _calls = [];

    private readonly HashSet<ISymbol> _locals = new(SymbolEqualityComparer.Default);

    // What every run of the part that is being visited asks for.
    private const string Extremes = "extremes of ";

    private HashSet<string> _always = new(StringComparer.Ordinal);

    // How many conditions stand around the current operation, and whether a run may have returned before it.
    private int _conditions;
    private bool _mayHaveReturned;

    private ProjectionWalker()
    {
    }

    internal static ProjectionWalker Walk(IAnonymousFunctionOperation projection)
    {
        var walker = new ProjectionWalker();
        walker.Visit(projection.Body);
        return walker;
    }

    /// <summary>The aggregates that some runs don't ask for.</summary>
    internal IEnumerable<IInvocationOperation> Conditional => _calls.Where(c => !_always.Contains(c.Selector)).Select(static c => c.Call);

    /// <summary>The first use, in each selector, of a variable that the projection declares.</summary>
    internal IEnumerable<ILocalReferenceOperation> Captured => _calls
        .SelectMany(static c => c.Call.Arguments)
        .SelectMany(static a => a.Value.Descendants().OfType<IAnonymousFunctionOperation>())
        .Select(lambda => lambda.Descendants().OfType<ILocalReferenceOperation>().FirstOrDefault(l => _locals.Contains(l.Local)))
        .Where(static local => local is not null)!;

    public override void VisitInvocation(IInvocationOperation operation)
    {
        if (Selector(operation) is { } selector)
        {
            _calls.Add((selector, operation));
            if (!_mayHaveReturned)
            {
                _always.Add(selector);
                if (selector.StartsWith(Extremes, StringComparison.Ordinal))
                {
                    _always.Add(selector.Substring(Extremes.Length));
                }
            }
        }

        base.VisitInvocation(operation);
    }

    public override void VisitBlock(IBlockOperation operation)
    {
        _locals.UnionWith(operation.Locals);
        base.VisitBlock(operation);
    }

    public override void VisitConditional(IConditionalOperation operation)
    {
        Visit(operation.Condition);
        bool hadReturned = _mayHaveReturned;
        var whenTrue = Conditionally(operation.WhenTrue);
        bool mayReturn = _mayHaveReturned;
        _mayHaveReturned = hadReturned;
        var whenFalse = Conditionally(operation.WhenFalse);
        _mayHaveReturned |= mayReturn;

        // What both branches ask for is asked for in every run.
        _always.UnionWith(whenTrue.Intersect(whenFalse, StringComparer.Ordinal));
    }

    public override void VisitBinaryOperator(IBinaryOperation operation)
    {
        Visit(operation.LeftOperand);
        if (operation.OperatorKind is BinaryOperatorKind.ConditionalAnd or BinaryOperatorKind.ConditionalOr)
        {
            Conditionally(operation.RightOperand);
        }
        else
        {
            Visit(operation.RightOperand);
        }
    }

    public override void VisitCoalesce(ICoalesceOperation operation)
    {
        Visit(operation.Value);
        Conditionally(operation.WhenNull);
    }

    public override void VisitCoalesceAssignment(ICoalesceAssignmentOperation operation)
    {
        Visit(operation.Target);
        Conditionally(operation.Value);
    }

    public override void VisitConditionalAccess(IConditionalAccessOperation operation)
    {
        Visit(operation.Operation);
        Conditionally(operation.WhenNotNull);
    }

    public override void VisitSwitch(ISwitchOperation operation)
    {
        Visit(operation.Value);
        Conditionally([.. operation.Cases]);
    }

    public override void VisitSwitchExpression(ISwitchExpressionOperation operation)
    {
        Visit(operation.Value);
        Conditionally([.. operation.Arms]);
    }

    public override void VisitWhileLoop(IWhileLoopOperation operation)
    {
        // The condition is asked at least once where it stands before the body.
        if (operation.ConditionIsTop)
        {
            Visit(operation.Condition);
        }

        Conditionally(operation.Body, operation.ConditionIsTop ? null : operation.Condition);
    }

    public override void VisitForLoop(IForLoopOperation operation)
    {
        foreach (var start in operation.Before)
        {
            Visit(start);
        }

        Visit(operation.Condition);
        Conditionally([operation.Body, .. operation.AtLoopBottom]);
    }

    public override void VisitForEachLoop(IForEachLoopOperation operation)
    {
        Visit(operation.Collection);
        Conditionally(operation.Body);
    }

    public override void VisitCatchClause(ICatchClauseOperation operation) => Conditionally(operation.Handler);

    public override void VisitReturn(IReturnOperation operation)
    {
        base.VisitReturn(operation);
        _mayHaveReturned |= _conditions > 0;
    }

    // A nested lambda or local function can't use the window, and its return isn't the projection's.
    public override void VisitAnonymousFunction(IAnonymousFunctionOperation operation)
    {
    }

    public override void VisitLocalFunction(ILocalFunctionOperation operation)
    {
    }

    private HashSet<string> Conditionally(params IOperation?[] operations)
    {
        var always = _always;
        _always = new HashSet<string>(StringComparer.Ordinal);
        _conditions++;
        foreach (var operation in operations)
        {
            Visit(operation);
        }

        _conditions--;
        var asked = _always;
        _always = always;
        return asked;
    }

    /// <summary>
    /// What is shared between aggregates: the selector's source text. Sum and average of a number are one state, minimum and maximum another that has
    /// the first within it; so are the library's aggregates of one family where their limits are spelled the same. Every other
    /// aggregate has its own.
    /// </summary>
    private static string? Selector(IInvocationOperation call)
    {
        var arguments = call.Arguments.Where(static a => a.ArgumentKind == ArgumentKind.Explicit).ToList();
        bool isMember = call.Instance is { } instance && instance.Type.IsCep(KnownNames.WindowGroup);
        bool isExtension = call.TargetMethod.IsExtensionMethod && arguments.Count > 0 && arguments[0].Parameter?.Type.IsCep(KnownNames.WindowGroup) == true;
        var selector = arguments.FirstOrDefault(static a => a.Parameter?.Type is { TypeKind: TypeKind.Delegate } type && !type.IsCep(KnownNames.WindowGroup));
        if ((!isMember && !isExtension) || selector is null)
        {
            return null;
        }

        string text = selector.Value.Syntax.ToString();
        bool isMoment = isMember && selector.Parameter!.OriginalDefinition.Type is INamedTypeSymbol { DelegateInvokeMethod.ReturnType.SpecialType: SpecialType.System_Double };
        if (isMoment)
        {
            return call.TargetMethod.Name is "Min" or "Max" ? Extremes + text : text;
        }

        bool isOurs = call.TargetMethod.ContainingType.IsCep(KnownNames.WindowAggregates);
        var told = arguments.Skip(isExtension ? 1 : 0).Where(a => !isOurs || !_resultOnly.Contains(a.Parameter!.Name));
        return (isOurs ? FamilyOf(call.TargetMethod.Name) : call.TargetMethod.Name) + " " + string.Join(", ", told.Select(static a => a.Value.Syntax.ToString()));
    }

    /// <summary>The state that an aggregate of the library is a result of.</summary>
    private static string FamilyOf(string aggregate) => aggregate switch
    {
        "Variance" or "StandardDeviation" or "PopulationVariance" or "PopulationStandardDeviation" => "deviation",
        "Covariance" or "PopulationCovariance" or "Correlation" or "LinearRegression" => "pairs",
        "Median" or "Quantile" or "Quantiles" => "values",
        "TimeWeightedAverage" or "Integral" or "Increase" or "Rate" or "Resets" or "Collect" or "DurationWhere" or "Durations" => "samples",
        _ => aggregate,
    };
}
