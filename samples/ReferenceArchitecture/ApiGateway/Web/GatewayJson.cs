using System.Text.Json.Serialization;

namespace IoT.Reference.ApiGateway.Web;

/// <summary>Subscribe to an API.</summary>
internal sealed record SubscribeRequest(string Api, string Name, string Plan, IReadOnlyList<string>? Scopes = null);

/// <summary>Make a new key; the one of before holds for so many hours.</summary>
internal sealed record RotateKeyRequest(double OverlapHours = 0);

/// <summary>A version as developers see it.</summary>
internal sealed record OfferedVersion(
    string Version, string State, string Path, string? Document, DateTimeOffset? Deprecated, DateTimeOffset? Sunset, string? Successor, int Instances, int Available);

/// <summary>An API as developers see it.</summary>
internal sealed record OfferedApi(string Id, string Title, string Description, IReadOnlyList<string> Scopes, IReadOnlyList<OfferedVersion> Versions);

/// <summary>A plan as developers see it.</summary>
internal sealed record OfferedPlan(string Name, double PerSecond, int Burst, long PerDay);

/// <summary>What is on offer.</summary>
internal sealed record Offer(IReadOnlyList<OfferedApi> Apis, IReadOnlyList<OfferedPlan> Plans);

/// <summary>Who is signed in.</summary>
internal sealed record SignedIn(string Subject, string Csrf, IReadOnlyList<string> Scopes);

/// <summary>A key as its owner sees it again.</summary>
internal sealed record ShownKey(string Name, DateTimeOffset Created, DateTimeOffset? Ends);

/// <summary>A subscription as its owner sees it.</summary>
internal sealed record ShownSubscription(
    string ClientId, string Api, string Name, string Plan, IReadOnlyList<string> Scopes, DateTimeOffset Created, IReadOnlyList<ShownKey> Keys);

/// <summary>What is told once.</summary>
internal sealed record ShownSecrets(string ClientId, string ClientSecret, string Key, DateTimeOffset? OldValidUntil);

/// <summary>Calls in an hour.</summary>
internal sealed record ShownHour(DateTimeOffset Hour, long Calls, long Errors, long Refused, double AverageMilliseconds);

[JsonSourceGenerationOptions(System.Text.Json.JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SubscribeRequest))]
[JsonSerializable(typeof(RotateKeyRequest))]
[JsonSerializable(typeof(Offer))]
[JsonSerializable(typeof(SignedIn))]
[JsonSerializable(typeof(ShownSubscription))]
[JsonSerializable(typeof(List<ShownSubscription>))]
[JsonSerializable(typeof(ShownSecrets))]
[JsonSerializable(typeof(List<ShownHour>))]
internal sealed partial class GatewayJson : JsonSerializerContext;
