using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace IoT.Cep.Generators;

/// <summary>
/// Reads an [Event] type's symbol. The generator takes the model and the analyzer takes the problems, so that the two can't disagree;
/// there is a model exactly where there is no problem.
/// </summary>
internal sealed class EventTypeReader
{
    private const int MaxMembers = 64;

    private static readonly SymbolDisplayFormat _namespaceFormat =
        SymbolDisplayFormat.FullyQualifiedFormat.WithGlobalNamespaceStyle(SymbolDisplayGlobalNamespaceStyle.Omitted);

    private static readonly SymbolDisplayFormat _nameWithParameters = SymbolDisplayFormat.MinimallyQualifiedFormat
        .WithGenericsOptions(SymbolDisplayGenericsOptions.IncludeTypeParameters)
        .WithMiscellaneousOptions(SymbolDisplayMiscellaneousOptions.EscapeKeywordIdentifiers);

    private readonly INamedTypeSymbol _type;
    private readonly List<Diagnostic> _problems = [];

    private EventTypeReader(INamedTypeSymbol type) => _type = type;

    internal static (EventModel? Model, IReadOnlyList<Diagnostic> Problems) Read(INamedTypeSymbol type)
    {
        var reader = new EventTypeReader(type);
        var model = reader.Model();
        return (reader._problems.Count == 0 ? model : null, reader._problems);
    }

    private EventModel? Model()
    {
        CheckDeclarations();
        if (Constructor() is not { } constructor)
        {
            return null;
        }

        var members = new List<MemberModel>();
        var parts = new List<EventMember>();
        foreach (var parameter in constructor.Parameters)
        {
            var part = new EventMember(_type, parameter);
            parts.Add(part);
            if (part.Read(_problems) is { } member)
            {
                members.Add(member);
            }
        }

        CheckTogether(parts, members);
        CheckUnreadProperties(parts);
        if (members.Count < parts.Count)
        {
            return null;
        }

        return new EventModel(
            HintName(),
            _type.ContainingNamespace.IsGlobalNamespace ? null : _type.ContainingNamespace.ToDisplayString(_namespaceFormat),
            new EquatableArray<string>([.. Chain().Select(Declaration)]),
            _type.ToDisplayString(SymbolDisplayFormat.FullyQualifiedFormat),
            _type.ToDisplayString(_nameWithParameters),
            IsRegistered: Chain().All(t => t.TypeParameters.IsEmpty && t.DeclaredAccessibility
                is Accessibility.Public or Accessibility.Internal or Accessibility.ProtectedOrInternal),
            HasFields: _type.GetMembers("Fields").IsEmpty && members.All(m => m.Name != "Fields"),
            new EquatableArray<MemberModel>([.. members]));
    }

    private void CheckDeclarations()
    {
        foreach (var type in Chain())
        {
            bool isPartial = type.DeclaringSyntaxReferences.Any(static r =>
                r.GetSyntax() is TypeDeclarationSyntax declaration && declaration.Modifiers.Any(SyntaxKind.PartialKeyword));
            if (!isPartial)
            {
                bool isOuter = !SymbolEqualityComparer.Default.Equals(type, _type);
                Report(Diagnostics.NotPartial, type, type.Name, isOuter ? $", as '{_type.Name}' inside it is" : "");
            }
            else if (type.IsFileLocal)
            {
                Report(Diagnostics.NotConstructible, type, $"'{type.Name}' is local to its file, where the generator can't add a part; make it internal");
            }
        }
    }

    private IMethodSymbol? Constructor()
    {
        if (_type.IsAbstract || _type.IsStatic || _type.IsRefLikeType)
        {
            string kind = _type.IsStatic ? "static" : _type.IsAbstract ? "abstract" : "a ref struct";
            Report(Diagnostics.NotConstructible, _type, $"'{_type.Name}' is {kind}, so no event of it can be made and kept");
            return null;
        }

        var constructor = _type.InstanceConstructors
            .Where(static c => c.DeclaredAccessibility == Accessibility.Public && c.Parameters.Length > 0)
            .OrderByDescending(static c => c.DeclaringSyntaxReferences.Any(static r => r.GetSyntax() is TypeDeclarationSyntax))
            .ThenByDescending(static c => c.Parameters.Length)
            .FirstOrDefault();
        if (constructor is null)
        {
            Report(
                Diagnostics.NotConstructible, _type, $"'{_type.Name}' has no public constructor with parameters; its parameters are the event's members");
        }
        else if (!SetsRequiredMembers(constructor) && RequiredMember() is { } required)
        {
            Report(Diagnostics.NotConstructible, required, $"'{required.Name}' is required but isn't a parameter of the constructor, which is all that is read");
        }

        return constructor;
    }

    private static bool SetsRequiredMembers(IMethodSymbol constructor) =>
        constructor.GetAttributes().Any(static a => a.AttributeClass?.Name == "SetsRequiredMembersAttribute");

    private ISymbol? RequiredMember() => _type.GetMembers().FirstOrDefault(static m => m
        is IPropertySymbol { IsRequired: true } or IFieldSymbol { IsRequired: true });

    private void CheckTogether(List<EventMember> parts, List<MemberModel> members)
    {
        if (parts.Count > MaxMembers)
        {
            Conflict(_type, $"'{_type.Name}' has {parts.Count} members; an event type has at most {MaxMembers}");
        }

        foreach (var second in parts.Where(static p => p.IsTime).Skip(1))
        {
            Conflict(second.Symbol, $"'{_type.Name}' has more than one [EventTime]; an event has one time");
        }

        foreach (var second in parts.Where(static p => p.IsKey).Skip(1))
        {
            Conflict(second.Symbol, $"'{_type.Name}' has more than one [EventKey]; one member names the device");
        }

        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var part in parts)
        {
            if (!names.Add(part.PayloadName))
            {
                Conflict(part.Symbol, $"Two members of '{_type.Name}' are called '{part.PayloadName}' in a payload; rename one with [Field]");
            }
        }
    }

    // An attribute that changes nothing would be believed.
    private void CheckUnreadProperties(List<EventMember> parts)
    {
        foreach (var property in _type.GetMembers().OfType<IPropertySymbol>())
        {
            bool isMarked = property.CepAttribute(KnownNames.EventTime) is not null || property.CepAttribute(KnownNames.EventKey) is not null
                || property.CepAttribute(KnownNames.Field) is not null;
            if (isMarked && !parts.Any(p => SymbolEqualityComparer.Default.Equals(p.Holder, property)))
            {
                Report(Diagnostics.NotConstructible, property, $"'{property.Name}' isn't a parameter of the constructor, which is all that is read");
            }
        }
    }

    private Stack<INamedTypeSymbol> Chain()
    {
        var chain = new Stack<INamedTypeSymbol>();
        for (var type = _type; type is not null; type = type.ContainingType)
        {
            chain.Push(type);
        }

        return chain;
    }

    private static string Declaration(INamedTypeSymbol type)
    {
        string keyword = (type.TypeKind, type.IsRecord) switch
        {
            (TypeKind.Struct, true) => "record struct",
            (TypeKind.Struct, false) => "struct",
            (TypeKind.Interface, _) => "interface",
            (_, true) => "record",
            _ => "class",
        };
        return $"partial {keyword} {type.ToDisplayString(_nameWithParameters)}";
    }

    private string HintName()
    {
        string name = string.Join(".", Chain().Select(static t => t.MetadataName)).Replace('`', '_');
        return _type.ContainingNamespace.IsGlobalNamespace ? name : _type.ContainingNamespace.ToDisplayString() + "." + name;
    }

    private void Conflict(ISymbol symbol, string message) => Report(Diagnostics.ConflictingMembers, symbol, message);

    private void Report(DiagnosticDescriptor descriptor, ISymbol symbol, params object[] arguments) =>
        _problems.Add(Diagnostic.Create(descriptor, symbol.Locations.FirstOrDefault(), arguments));
}
