using Microsoft.CodeAnalysis;

namespace IoT.Cep.Generators;

/// <summary>The library's own types, known by name: the generator doesn't reference the library.</summary>
internal static class KnownNames
{
    internal const string Event = "EventAttribute";
    internal const string EventTime = "EventTimeAttribute";
    internal const string EventKey = "EventKeyAttribute";
    internal const string Field = "FieldAttribute";
    internal const string Unit = "UnitAttribute";
    internal const string ReceivedTime = "ReceivedTimeAttribute";
    internal const string SentTime = "SentTimeAttribute";
    internal const string Header = "HeaderAttribute";
    internal const string Sender = "SenderAttribute";
    internal const string EventInterface = "IEvent";
    internal const string WindowGroup = "WindowGroup";
    internal const string WindowAggregates = "WindowAggregates";
    internal const string WindowedStream = "IWindowedStream";

    /// <summary>Whether a type is <c>IoT.Cep.</c><paramref name="name"/>, whatever its type arguments.</summary>
    internal static bool IsCep(this ITypeSymbol? type, string name) =>
        type is { ContainingType: null } && type.Name == name
        && type.ContainingNamespace is { Name: "Cep", ContainingNamespace: { Name: "IoT", ContainingNamespace.IsGlobalNamespace: true } };

    internal static AttributeData? CepAttribute(this ISymbol symbol, string name)
    {
        foreach (var attribute in symbol.GetAttributes())
        {
            if (attribute.AttributeClass.IsCep(name))
            {
                return attribute;
            }
        }

        return null;
    }
}
