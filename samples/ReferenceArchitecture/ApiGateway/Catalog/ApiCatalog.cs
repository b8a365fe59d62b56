using System.Text.Json;
using System.Text.Json.Serialization;
using IoT.Reference.Contracts;

namespace IoT.Reference.ApiGateway.Catalog;

/// <summary>Where a version of an API is in its life.</summary>
internal enum VersionState
{
    Current,

    /// <summary>Works, and says in every answer that it will not for ever.</summary>
    Deprecated,

    /// <summary>Answers 410 and says what took its place.</summary>
    Retired,
}

/// <summary>How many calls a subscription has.</summary>
internal sealed record Plan(double PerSecond, int Burst, long PerDay);

/// <summary>A version of an API.</summary>
/// <param name="Path">What its addresses begin with, at the gateway and behind it alike.</param>
/// <param name="Balance"><c>RoundRobin</c> or <c>LeastRequests</c>.</param>
/// <param name="Health">What each instance is asked to learn how it is.</param>
/// <param name="OpenApi">Where an instance describes itself.</param>
/// <param name="Deprecated">Since when it should not be used in something new.</param>
/// <param name="Sunset">When it will be, or was, retired.</param>
/// <param name="Successor">The version to use in its place.</param>
internal sealed record ApiVersion(
    string Version, VersionState State, string Path, IReadOnlyList<Uri>? Backends = null, string Balance = "RoundRobin", string Health = "/health", string? OpenApi = null,
    DateTimeOffset? Deprecated = null, DateTimeOffset? Sunset = null, string? Successor = null);

/// <summary>An API and its versions, side by side.</summary>
/// <param name="Scopes">Those a subscription may ask for.</param>
internal sealed record Api(string Id, string Title, string Description, IReadOnlyList<string> Scopes, IReadOnlyList<ApiVersion> Versions);

/// <summary>What is on offer: the content of <c>apis.json</c>.</summary>
internal sealed record ApiCatalog(IReadOnlyDictionary<string, Plan> Plans, IReadOnlyList<Api> Apis)
{
    /// <summary>Reads a catalogue.</summary>
    /// <exception cref="FormatException">It can't be used; the message says what is wrong.</exception>
    internal static ApiCatalog Parse(ReadOnlySpan<byte> json)
    {
        try
        {
            var catalog = JsonSerializer.Deserialize(json, CatalogJson.Default.ApiCatalog) ?? throw new FormatException("The catalogue is empty.");
            return catalog.Check() is { } wrong ? throw new FormatException(wrong) : catalog;
        }
        catch (JsonException e)
        {
            throw new FormatException("The catalogue is not JSON as it should be: " + e.Message, e);
        }
    }

    internal (Api Api, ApiVersion Version)? Find(string api, string version) =>
        Apis.FirstOrDefault(a => a.Id == api) is { } found && found.Versions.FirstOrDefault(v => v.Version == version) is { } one ? (found, one) : null;

    private string? Check()
    {
        if (Plans is null or { Count: 0 } || Apis is null || Apis.Count > 1_000)
        {
            return "A catalogue has 'plans', at least one, and 'apis', at most 1,000.";
        }

        var paths = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        return Plans.FirstOrDefault(p => !(p.Value.PerSecond > 0 && p.Value.Burst >= 1 && p.Value.PerDay >= 1)) is { Key: { } plan }
            ? $"The plan '{plan}' needs perSecond, burst and perDay above 0."
            : Apis.GroupBy(a => a.Id).FirstOrDefault(g => g.Count() > 1) is { } twice ? $"There are two APIs '{twice.Key}'."
            : Apis.Select(CheckApi).Concat(Apis.SelectMany(a => a.Versions ?? []).Select(v => paths.Add(v.Path) ? null : $"Two versions have the path '{v.Path}'.")).FirstOrDefault(w => w is not null);
    }

    private static string? CheckApi(Api api) =>
        !DeviceIds.IsValid(api.Id) || string.IsNullOrEmpty(api.Title) || api.Versions is null or { Count: 0 } ? $"The API '{api.Id}' needs an id of a-z, 0-9 and -, a title and a version."
        : api.Scopes is null || api.Scopes.Except(Scopes.OfPeople).Any() ? $"The API '{api.Id}' names a scope that people can't give."
        : api.Versions.GroupBy(v => v.Version).Any(g => g.Count() > 1) ? $"The API '{api.Id}' has a version twice."
        : api.Versions.Select(v => CheckVersion(api, v)).FirstOrDefault(w => w is not null);

    private static string? CheckVersion(Api api, ApiVersion version)
    {
        string name = $"{api.Id} {version.Version}";

        // The gateway's own addresses can't be given away, and a path is a literal: no braces of route templates.
        bool isPath = version.Path is ['/', _, ..] && version.Path.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '-' or '_' or '.') && !version.Path.EndsWith('/');
        bool isOurs = isPath && version.Path.Split('/')[1].ToUpperInvariant() is "DEVELOPERS" or "SIGNIN" or "METRICS" or "HEALTH" or "V1";
        return !DeviceIds.IsValid(version.Version) ? $"'{name}': a version is called by a-z, 0-9 and -."
            : !isPath || isOurs ? $"'{name}': the path '{version.Path}' is not one that can be given to an API."
            : version.Balance is not ("RoundRobin" or "LeastRequests") ? $"'{name}': balance is RoundRobin or LeastRequests."
            : version.State != VersionState.Retired && version.Backends is null or { Count: 0 } ? $"'{name}' has no backends."
            : version.Backends?.Any(b => !b.IsAbsoluteUri || b.Scheme is not ("http" or "https")) == true ? $"'{name}': backends are http or https addresses."
            : null;
    }
}

[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Web, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true, WriteIndented = true, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(ApiCatalog))]
internal sealed partial class CatalogJson : JsonSerializerContext;
