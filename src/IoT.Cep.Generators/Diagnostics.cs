using Microsoft.CodeAnalysis;

namespace IoT.Cep.Generators;

/// <summary>Every message of the generator's assembly; docs/analyzers.md explains each.</summary>
internal static class Diagnostics
{
    internal static readonly DiagnosticDescriptor ConditionalAggregate = Error(
        "CEP001",
        "Aggregate asked for conditionally",
        "'{0}' is asked for only under a condition, so the window may never have computed it. "
            + "Ask for every aggregate unconditionally and decide in the next Select.");

    internal static readonly DiagnosticDescriptor NotPartial = Error(
        "CEP002",
        "Event type isn't partial",
        "'{0}' must be partial{1}: the generator adds the other part of the [Event] type");

    internal static readonly DiagnosticDescriptor UnsupportedType = Error(
        "CEP003",
        "Unsupported type of an event's member",
        "'{0}' has the type '{1}', which no payload field gives. Use a number, string, bool, DateTimeOffset, DateTime or an enum, "
            + "and compute other types from it in a property.");

    internal static readonly DiagnosticDescriptor ConflictingMembers = Error(
        "CEP004",
        "Members of an event type contradict each other",
        "{0}");

    internal static readonly DiagnosticDescriptor NotAnEvent = Error(
        "CEP005",
        "Type argument isn't an event type",
        "'{0}' is no event type: {1}");

    internal static readonly DiagnosticDescriptor NotConstructible = Error(
        "CEP006",
        "Event type can't be built or read back",
        "{0}");

    internal static readonly DiagnosticDescriptor CapturingSelector = Error(
        "CEP007",
        "Selector captures a variable of its own projection",
        "The selector captures '{0}', which is declared inside the projection, so it is another selector for every window. "
            + "Declare the variable outside of the projection, or put the decision into the selector.");

    internal static readonly DiagnosticDescriptor UnboundedPattern = Error(
        "CEP008",
        "Pattern could wait for ever",
        "The pattern would remember a first event for ever where no '{0}' comes, or where it never ends. Say how long with .Within(...).");

    private static DiagnosticDescriptor Error(string id, string title, string message) => new(
        id,
        title,
        message,
        category: "IoT.Cep",
        DiagnosticSeverity.Error,
        isEnabledByDefault: true,
        helpLinkUri: "docs/analyzers.md#" + id.ToLowerInvariant());
}
