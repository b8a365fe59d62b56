using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;

namespace IoT.Cep.Generators;

/// <summary>
/// CEP005: <c>Json.Decode&lt;Reading&gt;()</c> where <c>Reading</c> is no event type. The compiler says "There is no boxing conversion",
/// which is true and helps nobody; this stands beside it and names the remedy.
/// </summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class TypeArgumentAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Diagnostics.NotAnEvent];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.EnableConcurrentExecution();
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);

        // The syntax, since a call that breaks a constraint has no operation.
        context.RegisterSyntaxNodeAction(Check, SyntaxKind.GenericName);
    }

    private static void Check(SyntaxNodeAnalysisContext context)
    {
        var name = (GenericNameSyntax)context.Node;
        var info = context.SemanticModel.GetSymbolInfo(name, context.CancellationToken);
        var candidates = info.Symbol is { } symbol ? [symbol] : info.CandidateSymbols;
        foreach (var candidate in candidates)
        {
            if (candidate is IMethodSymbol method && method.Arity == name.TypeArgumentList.Arguments.Count)
            {
                if (Check(context, name, method.OriginalDefinition))
                {
                    return;
                }
            }
        }
    }

    private static bool Check(SyntaxNodeAnalysisContext context, GenericNameSyntax name, IMethodSymbol method)
    {
        for (int i = 0; i < method.Arity; i++)
        {
            var argument = name.TypeArgumentList.Arguments[i];
            if (method.TypeParameters[i].ConstraintTypes.Any(static c => c.IsCep(KnownNames.EventInterface))
                && context.SemanticModel.GetTypeInfo(argument, context.CancellationToken).Type is { } type
                && !IsEvent(type))
            {
                context.ReportDiagnostic(Diagnostic.Create(Diagnostics.NotAnEvent, argument.GetLocation(), type.Name, Remedy(type)));
                return true;
            }
        }

        return false;
    }

    // A type with [Event] that is no event type all the same has an error of its own.
    private static bool IsEvent(ITypeSymbol type) => type.TypeKind is TypeKind.TypeParameter or TypeKind.Error
        || type.CepAttribute(KnownNames.Event) is not null
        || type.AllInterfaces.Any(i => i.IsCep(KnownNames.EventInterface) && SymbolEqualityComparer.Default.Equals(i.TypeArguments[0], type));

    private static string Remedy(ITypeSymbol type) => type.DeclaringSyntaxReferences.IsEmpty
        ? "it isn't declared in this project; decode it with a lambda, or declare a type of your own with [Event]"
        : "add [Event] and partial to its declaration, or decode it with a lambda";
}
