using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace IoT.Cep.Generators;

/// <summary>
/// CEP001, an aggregate that a window's projection asks for only under a condition, and CEP007, a selector that is another one in every run. Which
/// aggregates a projection needs is found by running it once; one that wasn't asked for then was never computed, and asking for it later throws.
/// </summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class ProjectionAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Diagnostics.ConditionalAggregate, Diagnostics.CapturingSelector];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.EnableConcurrentExecution();
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.RegisterOperationAction(static found =>
        {
            var lambda = (IAnonymousFunctionOperation)found.Operation;
            if (!IsProjection(lambda))
            {
                return;
            }

            var aggregates = ProjectionWalker.Walk(lambda);
            foreach (var call in aggregates.Conditional)
            {
                found.ReportDiagnostic(Diagnostic.Create(Diagnostics.ConditionalAggregate, call.Syntax.GetLocation(), call.Syntax.ToString()));
            }

            foreach (var local in aggregates.Captured)
            {
                found.ReportDiagnostic(Diagnostic.Create(Diagnostics.CapturingSelector, local.Syntax.GetLocation(), local.Local.Name));
            }
        }, OperationKind.AnonymousFunction);
    }

    private static bool IsProjection(IAnonymousFunctionOperation lambda)
    {
        if (!lambda.Symbol.Parameters.Any(static p => p.Type.IsCep(KnownNames.WindowGroup)))
        {
            return false;
        }

        // Lambda, delegate, argument, call; a query expression's select clause has the same shape.
        IOperation? parent = lambda.Parent;
        while (parent is IDelegateCreationOperation or IArgumentOperation or IConversionOperation)
        {
            parent = parent.Parent;
        }

        return parent is IInvocationOperation { TargetMethod: { Name: "Select" or "SelectUpdates", Parameters: var parameters } method } call
            && ((call.Instance?.Type).IsCep(KnownNames.WindowedStream)
                || (method.IsExtensionMethod && parameters[0].Type.IsCep(KnownNames.WindowedStream)));
    }
}
