using IoT.Reference.Identity.Xacml;

namespace IoT.Reference.Identity.Store;

/// <summary>A version of a policy; without text it was deleted then.</summary>
internal sealed record PolicyVersion(string Id, long Version, string? Xml, DateTimeOffset Changed, string By);

/// <summary>
/// The policies: every version is kept in the database, the current ones as files <c>policies/*.xml</c> to read. A policy is read by the engine before it counts; one that can't be read changes
/// nothing.
/// </summary>
internal sealed class PolicyStore
{
    private const int MaxPolicies = 200, KeptVersions = 50;

    private readonly Database _database;
    private readonly IdentityOptions _options;
    private readonly PolicyEngine _engine;
    private readonly string _folder;
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, PolicyNode> _current = new(StringComparer.Ordinal);

    internal PolicyStore(Database database, IdentityOptions options, PolicyEngine engine, string folder)
    {
        (_database, _options, _engine, _folder) = (database, options, engine, folder);
        Directory.CreateDirectory(folder);
        foreach (var (id, xml) in Latest())
        {
            _current[id] = engine.Parse(xml);
        }

        if (_current.Count == 0 && Versions(null).Count == 0)
        {
            foreach (string name in Defaults())
            {
                Put(name, DefaultText(name), "first start");
            }
        }

        engine.Use(_current.Values);
    }

    /// <summary>Tells that policies have changed, with the id.</summary>
    internal Action<string> Changed { get; set; } = static _ => { };

    internal List<PolicyVersion> Versions(string? id) => _database.Query(
        "select id, version, xml, changed, by_whom from policies where $id is null or id = $id order by id, version",
        static r => new PolicyVersion(r.GetString(0), r.GetInt64(1), r.Text(2), r.Time(3), r.GetString(4)), ("$id", id));

    internal string? Find(string id) => Versions(id) is [.., { Xml: { } xml }] ? xml : null;

    /// <summary>Lets a policy count from now on.</summary>
    /// <exception cref="PolicyException">It can't be decided by; nothing is changed.</exception>
    internal long Put(string id, string xml, string by)
    {
        lock (_gate)
        {
            var policy = _engine.Parse(xml);
            if (policy.Id != id)
            {
                throw new PolicyException($"The policy calls itself {policy.Id}, and not {id}.");
            }

            if (_current.Count >= MaxPolicies && !_current.ContainsKey(id))
            {
                throw new PolicyException($"There are {MaxPolicies} policies; delete one first.");
            }

            long version = Write(id, xml, by);
            File.WriteAllText(Path.Combine(_folder, id + ".xml"), xml);
            _current[id] = policy;
            Use(id);
            return version;
        }
    }

    internal bool Delete(string id, string by)
    {
        lock (_gate)
        {
            if (!_current.Remove(id))
            {
                return false;
            }

            Write(id, null, by);
            File.Delete(Path.Combine(_folder, id + ".xml"));
            Use(id);
            return true;
        }
    }

    internal static IEnumerable<string> Defaults() =>
        typeof(PolicyStore).Assembly.GetManifestResourceNames().Where(static n => n.StartsWith("policies/", StringComparison.Ordinal)).Select(static n => n["policies/".Length..]).Order(StringComparer.Ordinal);

    internal static string DefaultText(string name)
    {
        using var reader = new StreamReader(typeof(PolicyStore).Assembly.GetManifestResourceStream("policies/" + name)!);
        return reader.ReadToEnd();
    }

    private void Use(string id)
    {
        _engine.Use(_current.Values);
        Changed(id);
    }

    private long Write(string id, string? xml, string by)
    {
        long version = Versions(id) is [.., var last] ? last.Version + 1 : 1;
        _database.Execute(
            "insert into policies values($id, $version, $xml, $now, $by)",
            ("$id", id), ("$version", version), ("$xml", xml), ("$now", _options.TimeProvider.GetUtcNow().ToUnixTimeMilliseconds()), ("$by", by));
        _database.Execute("delete from policies where id = $id and version <= $old", ("$id", id), ("$old", version - KeptVersions));
        return version;
    }

    private IEnumerable<(string Id, string Xml)> Latest() =>
        Versions(null).GroupBy(static v => v.Id).Select(static g => g.Last()).Where(static v => v.Xml is not null).Select(static v => (v.Id, v.Xml!));
}
