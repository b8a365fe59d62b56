using Microsoft.CodeAnalysis;

namespace IoT.Cep.Generators;

/// <summary>Reads what a member's attributes say beyond its name and role, and what contradicts itself in them.</summary>
internal static class MemberAttributes
{
    private const int NoNumber = int.MinValue;

    private static readonly string[] _forms = ["Default", "Varint", "ZigZag", "Fixed"];

    internal static MemberExtras Read(Func<string, AttributeData?> attribute, bool isTime)
    {
        bool isReceived = attribute(KnownNames.ReceivedTime) is not null;
        string? header = attribute(KnownNames.Header) is { } named ? Text(named) : null;
        string origin = header is not null ? "Header"
            : attribute(KnownNames.Sender) is not null ? "Sender"
            : attribute(KnownNames.SentTime) is not null ? "SentTime"
            : isReceived && !isTime ? "ReceivedTime"
            : "Payload";
        var field = attribute(KnownNames.Field);
        int number = Named(field, "Number", NoNumber);
        int form = Named(field, "Form", 0);
        return new MemberExtras(
            origin,
            header,
            IsReceivedOtherwise: isReceived && origin is "Payload" or "SentTime",
            number == NoNumber ? null : number,
            Named(field, "Scale", 1.0),
            Named(field, "Offset", 0.0),
            form >= 0 && form < _forms.Length ? _forms[form] : _forms[0],
            attribute(KnownNames.Unit) is { } unit ? Text(unit) : null);
    }

    /// <summary>What contradicts itself, with <c>{0}</c> for the member's name; null where nothing does.</summary>
    internal static string? Problem(Func<string, AttributeData?> attribute, MemberExtras extras, ValueShape shape, bool isKey)
    {
        bool isTime = shape is ValueShape.DateTimeOffset or ValueShape.DateTime;
        bool isReal = shape is ValueShape.Double or ValueShape.Single or ValueShape.Decimal;
        bool asksForTime = attribute(KnownNames.ReceivedTime) is not null || attribute(KnownNames.SentTime) is not null;
        int origins = new[] { attribute(KnownNames.Header), attribute(KnownNames.Sender) }.Count(static a => a is not null) + (asksForTime ? 1 : 0);
        return origins > 1 ? "'{0}' can come from one place only: its header, its sender or its time"
            : asksForTime && !isTime ? "The [ReceivedTime] or [SentTime] '{0}' must be a DateTimeOffset or a DateTime"
            : extras.Origin == "Sender" && shape != ValueShape.Text ? "The [Sender] '{0}' must be a string"
            : extras.Header is { Length: 0 } ? "The [Header] of '{0}' needs a name"
            : extras.IsScaled && !isReal ? "'{0}' has a Scale or an Offset, so it must be a double, float or decimal"
            : extras.IsScaled && !IsUsable(extras) ? "The Scale of '{0}' must be a number other than 0, and its Offset a number"
            : extras.Unit is not null && (!isReal || extras.Unit.Length == 0) ? "The [Unit] of '{0}' needs a name, and '{0}' must be a double, float or decimal"
            : isKey && extras.Origin is "SentTime" or "ReceivedTime" ? "The [EventKey] '{0}' must be a string"
            : null;
    }

    private static bool IsUsable(MemberExtras extras) =>
        extras.Scale != 0 && !double.IsNaN(extras.Scale) && !double.IsInfinity(extras.Scale) && !double.IsNaN(extras.Offset) && !double.IsInfinity(extras.Offset);

    private static string Text(AttributeData attribute) =>
        attribute.ConstructorArguments.Length == 1 ? attribute.ConstructorArguments[0].Value as string ?? "" : "";

    private static TValue Named<TValue>(AttributeData? attribute, string name, TValue otherwise)
    {
        foreach (var argument in attribute?.NamedArguments ?? [])
        {
            if (argument.Key == name && argument.Value.Value is TValue value)
            {
                return value;
            }
        }

        return otherwise;
    }
}
