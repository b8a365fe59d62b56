namespace IoT.Cep.Generators;

/// <summary>
/// What the generator knows about an event type: text only, so that it compares by value and keeps no compilation alive.
/// </summary>
/// <param name="HintName">The generated file's name without its ending.</param>
/// <param name="Namespace">The namespace, or null in the global one.</param>
/// <param name="Declarations">The declarations to nest, from the outermost type to the event type: <c>partial record struct Reading</c>.</param>
/// <param name="FullName">The type's name with <c>global::</c>.</param>
/// <param name="DisplayName">The type's name, for messages at run time.</param>
/// <param name="IsRegistered">Whether a module initializer can name the type.</param>
/// <param name="HasFields">Whether the nested class <c>Fields</c> is written.</param>
/// <param name="Members">The members, in the order of the constructor.</param>
internal sealed record EventModel(
    string HintName,
    string? Namespace,
    EquatableArray<string> Declarations,
    string FullName,
    string DisplayName,
    bool IsRegistered,
    bool HasFields,
    EquatableArray<MemberModel> Members);

/// <summary>One member of an event type.</summary>
/// <param name="Name">The property or field that holds it.</param>
/// <param name="PayloadName">Its name in a payload.</param>
/// <param name="TypeName">Its type without <c>?</c>, as C# spells it.</param>
/// <param name="Shape">How it is read and saved.</param>
/// <param name="IsNullable">Whether null is a value of it.</param>
/// <param name="Default">The constructor's default as C#, or null where it has none.</param>
/// <param name="IsTime">Whether it is the event's time.</param>
/// <param name="IsKey">Whether it names the device.</param>
/// <param name="EnumNames">The names of an enum's values; empty for other types.</param>
/// <param name="EnumValues">Those values as whole numbers, where they fit 64 bits.</param>
/// <param name="Extras">What the attributes say beside that.</param>
internal sealed record MemberModel(
    string Name,
    string PayloadName,
    string TypeName,
    ValueShape Shape,
    bool IsNullable,
    string? Default,
    bool IsTime,
    bool IsKey,
    EquatableArray<string> EnumNames,
    EquatableArray<long> EnumValues,
    MemberExtras Extras)
{
    internal bool IsRequired => !IsNullable && Default is null;
}

/// <summary>What a member's attributes say of it beyond its name.</summary>
/// <param name="Origin">Where the value comes from, as <c>FieldOrigin</c> names it.</param>
/// <param name="Header">The header's name, or null.</param>
/// <param name="IsReceivedOtherwise">Whether the time of arrival stands in for a missing time.</param>
/// <param name="Number">The number in formats that have numbers for names, or null.</param>
/// <param name="Scale">What the payload's number is multiplied by.</param>
/// <param name="Offset">What is added to it then.</param>
/// <param name="Form">How Protobuf writes a whole number, as <c>WholeNumberForm</c> names it.</param>
/// <param name="Unit">The unit, or null.</param>
internal sealed record MemberExtras(
    string Origin, string? Header, bool IsReceivedOtherwise, int? Number, double Scale, double Offset, string Form, string? Unit)
{
    internal bool IsScaled => Scale != 1 || Offset != 0;
}

/// <summary>How a value is read from a payload and saved.</summary>
internal enum ValueShape
{
    Double,
    Single,
    Decimal,

    /// <summary>Any whole number that fits <see cref="long"/> but isn't one.</summary>
    Whole,
    Int64,
    UInt64,
    Text,
    DateTimeOffset,
    DateTime,
    Boolean,
    Enum,
}
