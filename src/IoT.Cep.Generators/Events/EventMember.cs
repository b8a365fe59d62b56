using Microsoft.CodeAnalysis;

namespace IoT.Cep.Generators;

/// <summary>A parameter of an event type's constructor together with the property or field that holds it.</summary>
internal sealed class EventMember
{
    private static readonly SymbolDisplayFormat _typeFormat = SymbolDisplayFormat.FullyQualifiedFormat;

    private readonly INamedTypeSymbol _type;
    private readonly IParameterSymbol _parameter;

    internal EventMember(INamedTypeSymbol type, IParameterSymbol parameter)
    {
        _type = type;
        _parameter = parameter;
        Holder = FindHolder(type, parameter.Name);
        IsTime = Attribute(KnownNames.EventTime) is not null;
        IsKey = Attribute(KnownNames.EventKey) is not null;
        PayloadName = Attribute(KnownNames.Field) is { ConstructorArguments.Length: 1 } attribute
            ? attribute.ConstructorArguments[0].Value as string ?? ""
            : CamelCase(Name);
        Extras = MemberAttributes.Read(Attribute, IsTime);
    }

    /// <summary>The property or field to read the value from; null where there is none.</summary>
    internal ISymbol? Holder { get; }

    internal bool IsTime { get; }

    internal bool IsKey { get; }

    internal string PayloadName { get; }

    internal MemberExtras Extras { get; }

    /// <summary>Where to point a message at.</summary>
    internal ISymbol Symbol => _parameter;

    private string Name => Holder?.Name ?? _parameter.Name;

    internal MemberModel? Read(List<Diagnostic> problems)
    {
        int before = problems.Count;
        CheckHolder(problems);
        var type = _parameter.Type;
        bool isNullable = type is { IsReferenceType: true, NullableAnnotation: NullableAnnotation.Annotated };
        if (type is INamedTypeSymbol { OriginalDefinition.SpecialType: SpecialType.System_Nullable_T } nullable)
        {
            isNullable = true;
            type = nullable.TypeArguments[0];
        }

        if (Shape(type) is not { } shape)
        {
            // A type that doesn't exist has the compiler's own error.
            if (type.TypeKind != TypeKind.Error)
            {
                string name = _parameter.Type.ToDisplayString(SymbolDisplayFormat.MinimallyQualifiedFormat);
                problems.Add(Create(Diagnostics.UnsupportedType, Name, name));
            }

            return null;
        }

        CheckRoles(problems, shape, isNullable);
        if (problems.Count > before)
        {
            return null;
        }

        string typeName = type.WithNullableAnnotation(NullableAnnotation.None).ToDisplayString(_typeFormat);
        return new MemberModel(
            Name, PayloadName, typeName, shape, isNullable, DefaultLiteral.Of(_parameter, type, typeName), IsTime, IsKey,
            EnumNames(type), EnumValues(type), Extras);
    }

    private void CheckHolder(List<Diagnostic> problems)
    {
        if (_parameter.RefKind is RefKind.Out or RefKind.Ref)
        {
            problems.Add(Create(Diagnostics.NotConstructible, $"The parameter '{_parameter.Name}' is passed by reference, so no field can be read into it"));
        }
        else if (Holder is null)
        {
            problems.Add(Create(
                Diagnostics.NotConstructible,
                $"'{_type.Name}' has no property or field for the parameter '{_parameter.Name}', so it couldn't be saved; add one of that name"));
        }
        else if (!SymbolEqualityComparer.Default.Equals(HolderType, _parameter.Type))
        {
            problems.Add(Create(
                Diagnostics.NotConstructible, $"'{Holder.Name}' and the parameter '{_parameter.Name}' differ in type, so it couldn't be saved"));
        }
    }

    private void CheckRoles(List<Diagnostic> problems, ValueShape shape, bool isNullable)
    {
        if (IsTime && (isNullable || shape is not (ValueShape.DateTimeOffset or ValueShape.DateTime)))
        {
            problems.Add(Create(Diagnostics.ConflictingMembers, $"The [EventTime] '{Name}' must be a DateTimeOffset or a DateTime that is never null"));
        }

        if (IsKey && shape != ValueShape.Text)
        {
            problems.Add(Create(Diagnostics.ConflictingMembers, $"The [EventKey] '{Name}' must be a string"));
        }

        if (PayloadName.Length == 0)
        {
            problems.Add(Create(Diagnostics.ConflictingMembers, $"The [Field] of '{Name}' needs a name"));
        }

        if (MemberAttributes.Problem(Attribute, Extras, shape, IsKey) is { } problem)
        {
            problems.Add(Create(Diagnostics.ConflictingMembers, string.Format(System.Globalization.CultureInfo.InvariantCulture, problem, Name)));
        }
    }

    private ITypeSymbol? HolderType => Holder switch
    {
        IPropertySymbol property => property.Type,
        IFieldSymbol variable => variable.Type,
        _ => null,
    };

    // The same name first, then the name in another case, as in a class whose constructor takes camel case.
    private static ISymbol? FindHolder(INamedTypeSymbol type, string name)
    {
        foreach (var comparison in (StringComparison[])[StringComparison.Ordinal, StringComparison.OrdinalIgnoreCase])
        {
            for (var owner = type; owner is not null; owner = owner.BaseType)
            {
                bool isOwn = SymbolEqualityComparer.Default.Equals(owner, type);
                var holder = owner.GetMembers().FirstOrDefault(m => m.Name.Equals(name, comparison)
                    && (isOwn || m.DeclaredAccessibility is not (Accessibility.Private or Accessibility.NotApplicable))
                    && m is IPropertySymbol { IsStatic: false, GetMethod: not null, IsIndexer: false }
                        or IFieldSymbol { IsStatic: false, IsImplicitlyDeclared: false });
                if (holder is not null)
                {
                    return holder;
                }
            }
        }

        return null;
    }

    private static ValueShape? Shape(ITypeSymbol type) => type.SpecialType switch
    {
        SpecialType.System_Double => ValueShape.Double,
        SpecialType.System_Single => ValueShape.Single,
        SpecialType.System_Decimal => ValueShape.Decimal,
        SpecialType.System_SByte or SpecialType.System_Byte or SpecialType.System_Int16 or SpecialType.System_UInt16
            or SpecialType.System_Int32 or SpecialType.System_UInt32 => ValueShape.Whole,
        SpecialType.System_Int64 => ValueShape.Int64,
        SpecialType.System_UInt64 => ValueShape.UInt64,
        SpecialType.System_String => ValueShape.Text,
        SpecialType.System_Boolean => ValueShape.Boolean,
        SpecialType.System_DateTime => ValueShape.DateTime,
        _ when type.TypeKind == TypeKind.Enum => ValueShape.Enum,
        _ when type is { Name: "DateTimeOffset", ContainingNamespace: { Name: "System", ContainingNamespace.IsGlobalNamespace: true } }
            => ValueShape.DateTimeOffset,
        _ => null,
    };

    private static EquatableArray<string> EnumNames(ITypeSymbol type) => type.TypeKind == TypeKind.Enum
        ? new([.. type.GetMembers().OfType<IFieldSymbol>().Where(static f => f.HasConstantValue).Select(static f => f.Name)])
        : default;

    private static EquatableArray<long> EnumValues(ITypeSymbol type) => type.TypeKind == TypeKind.Enum
        ? new([.. type.GetMembers().OfType<IFieldSymbol>().Where(static f => f.HasConstantValue)
            .Select(static f => f.ConstantValue is ulong large ? unchecked((long)large) : Convert.ToInt64(f.ConstantValue, System.Globalization.CultureInfo.InvariantCulture))])
        : default;

    // As System.Text.Json names properties: "Celsius" is "celsius", "ID" is "id", "URLPath" is "urlPath".
    private static string CamelCase(string name)
    {
        char[] characters = name.ToCharArray();
        for (int i = 0; i < characters.Length && char.IsUpper(characters[i]); i++)
        {
            if (i > 0 && i + 1 < characters.Length && !char.IsUpper(characters[i + 1]))
            {
                break;
            }

            characters[i] = char.ToLowerInvariant(characters[i]);
        }

        return new string(characters);
    }

    private AttributeData? Attribute(string name) => _parameter.CepAttribute(name) ?? Holder?.CepAttribute(name);

    private Diagnostic Create(DiagnosticDescriptor descriptor, params object[] arguments) =>
        Diagnostic.Create(descriptor, _parameter.Locations.FirstOrDefault(), arguments);
}
