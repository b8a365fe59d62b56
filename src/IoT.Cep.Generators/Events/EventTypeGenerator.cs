using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace IoT.Cep.Generators;

/// <summary>
/// Writes the other part of an [Event] type: how every payload format fills it, how it is saved, and its <c>Fields</c> handles.
/// What is wrong with a type is said by <see cref="EventTypeAnalyzer"/>; nothing is generated for it then.
/// </summary>
[Generator(LanguageNames.CSharp)]
public sealed class EventTypeGenerator : IIncrementalGenerator
{
    /// <summary>The pipeline's step whose outputs are the models.</summary>
    internal const string ModelStep = "EventModels";

    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        var models = context.SyntaxProvider
            .ForAttributeWithMetadataName(
                "IoT.Cep.EventAttribute",
                static (node, _) => node is TypeDeclarationSyntax,
                static (found, _) => found.TargetSymbol is INamedTypeSymbol type ? EventTypeReader.Read(type).Model : null)
            .Where(static model => model is not null)
            .WithTrackingName(ModelStep);
        context.RegisterSourceOutput(models, static (output, model) => output.AddSource(model!.HintName + ".g.cs", EventTypeWriter.Write(model)));
    }
}
