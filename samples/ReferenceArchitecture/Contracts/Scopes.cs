namespace IoT.Reference.Contracts;

/// <summary>What a token is good for. A scope only narrows: what its subject may do is decided by the policies.</summary>
public static class Scopes
{
    public const string ReadReadings = "readings.read";
    public const string ReadDevices = "devices.read";
    public const string ManageDevices = "devices.manage";
    public const string SendCommands = "commands.send";
    public const string ManageAlerts = "alerts.manage";
    public const string DeployQueries = "queries.deploy";
    public const string ManagePolicies = "policies.manage";
    public const string ManagePeople = "people.manage";

    /// <summary>For services: to ask the decision point, to have credentials verified, to hear of changes.</summary>
    public const string Decide = "decide";

    /// <summary>For services: to make and revoke credentials, to tell what belongs to whom.</summary>
    public const string ManageIdentity = "identity.manage";

    /// <summary>For services: to send and read everything on the bus.</summary>
    public const string RelayBus = "bus.relay";

    /// <summary>For devices: to use the bus.</summary>
    public const string UseBus = "bus.use";

    /// <summary>Those that a person may give to the portal or to an app.</summary>
    public static IReadOnlyList<string> OfPeople { get; } =
        [ReadReadings, ReadDevices, ManageDevices, SendCommands, ManageAlerts, DeployQueries, ManagePolicies, ManagePeople];

    /// <summary>Those of services only.</summary>
    public static IReadOnlyList<string> OfServices { get; } = [Decide, ManageIdentity, RelayBus];

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All { get; } = [.. OfPeople, .. OfServices, UseBus];
}

/// <summary>The claims in tokens beside the standard ones.</summary>
public static class Claims
{
    /// <summary>The audience of every access token.</summary>
    public const string Audience = "iot";

    /// <summary><c>person</c>, <c>app</c>, <c>device</c> or <c>service</c>: a <see cref="SubjectKind"/> in lower case.</summary>
    public const string Kind = "kind";

    /// <summary>A role of a person, one claim each: <see cref="Roles"/>.</summary>
    public const string Role = "role";

    /// <summary>
    /// The devices that a gateway speaks for, separated by spaces; <c>@gw-1</c> is all those of which the decision point knows that they are behind <c>gw-1</c>, and <c>*</c>, for services, all.
    /// </summary>
    public const string SpeaksFor = "devices";

    /// <summary>When the token was issued, in milliseconds since 1970: <c>iat</c> has whole seconds, and a token may be asked for in the second in which the one before was revoked.</summary>
    public const string IssuedAt = "issued_ms";
}

/// <summary>What a person may be, beside an owner of devices.</summary>
public static class Roles
{
    public const string Operator = "operator";
    public const string Administrator = "administrator";
}

/// <summary>What somebody wants to do.</summary>
public static class Actions
{
    public const string Connect = "connect";
    public const string Publish = "publish";
    public const string Subscribe = "subscribe";
    public const string Read = "read";
    public const string Command = "command";
    public const string Manage = "manage";
    public const string Share = "share";
    public const string Acknowledge = "acknowledge";
    public const string Deploy = "deploy";
    public const string Administer = "administer";

    /// <summary>Those that an owner can share.</summary>
    public static IReadOnlyList<string> Shareable { get; } = [Read, Command, Acknowledge];
}

/// <summary>What somebody wants to do something with.</summary>
public static class Resources
{
    public const string Policies = "policies";
    public const string People = "people";
    public const string Jobs = "jobs";
    public const string Interlock = "interlock";
    public const string Apis = "apis";

    /// <summary>A device.</summary>
    /// <param name="id">Its id.</param>
    public static string Device(string id) => "device:" + id;

    /// <summary>A query.</summary>
    /// <param name="name">Its name.</param>
    public static string Query(string name) => "query:" + name;

    /// <summary>A person's data.</summary>
    /// <param name="user">The person.</param>
    public static string Person(string user) => "person:" + user;

    /// <summary>The bus, for who connects to it.</summary>
    public const string Bus = "bus";
}
