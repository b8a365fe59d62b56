using System.Text.Json;
using System.Text.Json.Serialization;

namespace IoT.Reference.Portal.Web;

/// <summary>What a page may know of its session.</summary>
internal sealed record SessionInfo(string User, string Name, string Csrf, string Ends);

/// <summary>Where the browser goes next.</summary>
internal sealed record NextPage(string Next);

/// <summary>Who calls.</summary>
/// <param name="Id">The person, app, device or service.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Scopes">What its token is good for.</param>
/// <param name="Roles">Its roles.</param>
public sealed record Caller(string Id, string Kind, IReadOnlyList<string> Scopes, IReadOnlyList<string> Roles);

/// <summary>Everything that is kept about a person, by the layer that keeps it.</summary>
/// <param name="Identity">The person, shares, apps, consents.</param>
/// <param name="DeviceManager">Devices, states, commands.</param>
/// <param name="Analytics">Readings and alerts, in parts of a hundred devices.</param>
public sealed record PersonalData(JsonElement Identity, JsonElement DeviceManager, IReadOnlyList<JsonElement> Analytics);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SessionInfo))]
[JsonSerializable(typeof(NextPage))]
[JsonSerializable(typeof(Caller))]
[JsonSerializable(typeof(PersonalData))]
[JsonSerializable(typeof(string[]))]
internal sealed partial class PortalJson : JsonSerializerContext;
