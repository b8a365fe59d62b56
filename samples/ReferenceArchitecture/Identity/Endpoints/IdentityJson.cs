using System.Text.Json;
using System.Text.Json.Serialization;
using IoT.Reference.Contracts;

namespace IoT.Reference.Identity.Endpoints;

/// <summary>A version of a policy.</summary>
public sealed record PolicyInfo(string Id, long Version, bool IsDeleted, DateTimeOffset Changed, string By);

/// <summary>A person that an administrator makes.</summary>
public sealed record NewPerson(string Id, string Name, IReadOnlyList<string>? Roles = null);

/// <summary>A person with an account.</summary>
public sealed record PersonInfo(string Id, string Name, IReadOnlyList<string> Roles, DateTimeOffset Created);

/// <summary>A change of one's own password.</summary>
public sealed record NewPassword(string Old, string New);

/// <summary>All that <c>Identity</c> has of a person. No secrets: it has none but hashes.</summary>
/// <param name="Consents">When applications got tokens of this person, and until when they hold.</param>
public sealed record PersonExport(
    PersonInfo Person, IReadOnlyList<string> Devices, IReadOnlyList<Share> Shares, IReadOnlyList<string> Apps, IReadOnlyList<string> Consents, IReadOnlyList<AuditEntry> Audit);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(List<PolicyInfo>))]
[JsonSerializable(typeof(NewPerson))]
[JsonSerializable(typeof(List<PersonInfo>))]
[JsonSerializable(typeof(NewPassword))]
[JsonSerializable(typeof(PersonExport))]
internal sealed partial class IdentityJson : JsonSerializerContext;
