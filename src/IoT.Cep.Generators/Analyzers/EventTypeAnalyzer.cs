using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;

namespace IoT.Cep.Generators;

/// <summary>Says what keeps an [Event] type from being generated: CEP002, CEP003, CEP004 and CEP006.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class EventTypeAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } =
        [Diagnostics.NotPartial, Diagnostics.UnsupportedType, Diagnostics.ConflictingMembers, Diagnostics.NotConstructible];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.EnableConcurrentExecution();
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.Analyze | GeneratedCodeAnalysisFlags.ReportDiagnostics);
        context.RegisterSymbolAction(static found =>
        {
            var type = (INamedTypeSymbol)found.Symbol;
            if (type.CepAttribute(KnownNames.Event) is null)
            {
                return;
            }

            foreach (var problem in EventTypeReader.Read(type).Problems)
            {
                found.ReportDiagnostic(problem);
            }
        }, SymbolKind.NamedType);
    }
}
