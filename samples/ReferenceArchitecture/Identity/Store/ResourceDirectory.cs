using System.Collections.Concurrent;
using IoT.Reference.Contracts;

namespace IoT.Reference.Identity.Store;

/// <summary>What is known of devices, and with whom they are shared. In memory for decisions; the database is written before anything counts.</summary>
internal sealed class ResourceDirectory
{
    private const int MaxSharesOfDevice = 100;

    private readonly Database _database;
    private readonly IdentityOptions _options;
    private readonly ConcurrentDictionary<string, ResourceFacts> _facts = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Share[]> _shares = new(StringComparer.Ordinal);
    private readonly Lock _writing = new();

    public ResourceDirectory(Database database, IdentityOptions options)
    {
        (_database, _options) = (database, options);
        foreach (var (id, facts) in database.Query(
            "select id, owner, gateway, grp, locked from resources", static r => (r.GetString(0), new ResourceFacts(r.Text(1), r.Text(2), r.Text(3), r.GetInt32(4) != 0))))
        {
            _facts[id] = facts;
        }

        var shares = database.Query(
            "select id, device, owner, other, actions, until from shares",
            static r => new Share(r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), Rows.Words(r.Text(4)), r.Time(5)));
        foreach (var group in shares.GroupBy(static s => s.Device))
        {
            _shares[group.Key] = [.. group];
        }
    }

    internal ResourceFacts? Find(string device) => _facts.GetValueOrDefault(device);

    internal IEnumerable<string> OfOwner(string owner) => _facts.Where(f => f.Value.Owner == owner).Select(static f => f.Key);

    internal IReadOnlyList<Share> SharesOf(string device) => _shares.GetValueOrDefault(device) ?? [];

    internal IEnumerable<Share> SharesWith(string person) => _shares.Values.SelectMany(static s => s).Where(s => s.With == person || s.Owner == person);

    internal Share? FindShare(string id) => _shares.GetValueOrDefault(DeviceOf(id))?.FirstOrDefault(s => s.Id == id);

    /// <returns>False: there is no room.</returns>
    internal bool Put(string device, ResourceFacts facts)
    {
        lock (_writing)
        {
            if (_facts.Count >= _options.MaxSubjects && !_facts.ContainsKey(device))
            {
                return false;
            }

            // Another owner's shares are not this one's.
            if (_facts.TryGetValue(device, out var before) && before.Owner != facts.Owner)
            {
                Unshare(device);
            }

            _database.Execute(
                "insert or replace into resources values($id, $owner, $gateway, $group, $locked)",
                ("$id", device), ("$owner", facts.Owner), ("$gateway", facts.Gateway), ("$group", facts.Group), ("$locked", facts.Locked ? 1 : 0));
            _facts[device] = facts;
            return true;
        }
    }

    internal bool Delete(string device)
    {
        lock (_writing)
        {
            Unshare(device);
            _database.Execute("delete from resources where id = $id", ("$id", device));
            return _facts.TryRemove(device, out _);
        }
    }

    /// <returns>Null: the device is shared with too many.</returns>
    internal Share? Add(string owner, ShareRequest request)
    {
        lock (_writing)
        {
            var now = _options.TimeProvider.GetUtcNow();
            Share[] left = [.. SharesOf(request.Device).Where(s => s.Until > now)];
            if (left.Length >= MaxSharesOfDevice)
            {
                return null;
            }

            // The id names its device, so that a change of it says what it is about.
            var share = new Share(request.Device + "." + Guid.NewGuid().ToString("n"), request.Device, owner, request.With, [.. request.Actions.Distinct()], request.Until);
            _database.Together(() =>
            {
                _database.Execute("delete from shares where device = $device and until <= $now", ("$device", request.Device), ("$now", now.ToUnixTimeMilliseconds()));
                _database.Execute(
                    "insert into shares values($id, $device, $owner, $other, $actions, $until)",
                    ("$id", share.Id), ("$device", share.Device), ("$owner", owner), ("$other", share.With), ("$actions", string.Join(' ', share.Actions)), ("$until", share.Until.ToUnixTimeMilliseconds()));
            });
            _shares[request.Device] = [.. left, share];
            return share;
        }
    }

    internal bool DeleteShare(string id)
    {
        lock (_writing)
        {
            string device = DeviceOf(id);
            bool was = _database.Execute("delete from shares where id = $id", ("$id", id)) > 0;
            _shares[device] = [.. SharesOf(device).Where(s => s.Id != id)];
            return was;
        }
    }

    private static string DeviceOf(string shareId) => shareId.LastIndexOf('.') is > 0 and int at ? shareId[..at] : shareId;

    private void Unshare(string device)
    {
        _database.Execute("delete from shares where device = $device", ("$device", device));
        _shares.TryRemove(device, out _);
    }
}
