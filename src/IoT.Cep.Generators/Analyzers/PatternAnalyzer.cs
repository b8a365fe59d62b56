using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace IoT.Cep.Generators;

/// <summary>
/// CEP008, a pattern that is matched without <c>Within</c> although it could wait, or grow, for ever. The library refuses it when the query is built; where the whole
/// chain is to be seen (in the call itself, or in a local or field that is set once) it is said at build time. Anything else is left to the library.
/// </summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class PatternAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Diagnostics.UnboundedPattern];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.EnableConcurrentExecution();
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.RegisterOperationAction(
            static found =>
            {
                var call = (IInvocationOperation)found.Operation;
                if (call.TargetMethod.Name != "Match" || !call.TargetMethod.ContainingType.IsCep("MatchExtensions"))
                {
                    return;
                }

                foreach (var pattern in PatternsOf(call))
                {
                    if (Resolve(pattern) is { } chain && PatternReader.Read(chain) is { } read && read.FindUnbounded() is { } unbounded)
                    {
                        found.ReportDiagnostic(Diagnostic.Create(Diagnostics.UnboundedPattern, pattern.Syntax.GetLocation(), unbounded));
                    }
                }
            },
            OperationKind.Invocation);
    }

    /// <summary>The one pattern, or the elements of a list that is written out.</summary>
    private static IEnumerable<IOperation> PatternsOf(IInvocationOperation call)
    {
        foreach (var argument in call.Arguments)
        {
            if (argument.Parameter is { Name: "pattern" } parameter && parameter.Type.IsCep("Pattern"))
            {
                yield return Unwrap(argument.Value);
            }
            else if (argument.Parameter?.Name == "patterns")
            {
                foreach (var element in PatternReader.Elements(argument.Value) ?? [])
                {
                    yield return element;
                }
            }
        }
    }

    /// <summary>The chain itself, where a variable stands for it; null where that can't be known.</summary>
    private static IOperation? Resolve(IOperation pattern)
    {
        var model = pattern.SemanticModel;
        ISymbol? variable = pattern switch
        {
            ILocalReferenceOperation local => local.Local,
            IFieldReferenceOperation { Field.IsReadOnly: true } field => field.Field,
            _ => null,
        };
        if (variable is null)
        {
            return pattern;
        }

        if (model is null || variable.DeclaringSyntaxReferences.FirstOrDefault() is not { } declared || declared.SyntaxTree != pattern.Syntax.SyntaxTree
            || declared.GetSyntax() is not VariableDeclaratorSyntax { Initializer.Value: { } value } declarator || IsSetAgain(declarator, variable.Name))
        {
            return null;
        }

        return model.GetOperation(value) is { } operation ? Unwrap(operation) : null;
    }

    /// <summary>Whether a variable of that name is assigned anywhere around, or handed over by reference: by name alone, so rather silent than wrong.</summary>
    private static bool IsSetAgain(VariableDeclaratorSyntax declarator, string name)
    {
        var around = declarator.FirstAncestorOrSelf<TypeDeclarationSyntax>() as SyntaxNode ?? declarator.SyntaxTree.GetRoot();
        return around.DescendantNodes().Any(node => node switch
        {
            AssignmentExpressionSyntax assignment => IsNamed(assignment.Left),
            ArgumentSyntax argument => !argument.RefKindKeyword.IsKind(Microsoft.CodeAnalysis.CSharp.SyntaxKind.None) && IsNamed(argument.Expression),
            _ => false,
        });

        bool IsNamed(ExpressionSyntax expression) => expression switch
        {
            IdentifierNameSyntax identifier => identifier.Identifier.ValueText == name,
            MemberAccessExpressionSyntax member => member.Name.Identifier.ValueText == name,
            TupleExpressionSyntax tuple => tuple.Arguments.Any(one => IsNamed(one.Expression)),
            _ => false,
        };
    }

    internal static IOperation Unwrap(IOperation operation)
    {
        while (operation is IConversionOperation conversion)
        {
            operation = conversion.Operand;
        }

        return operation;
    }
}
