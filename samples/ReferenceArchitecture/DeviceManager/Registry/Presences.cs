using System.Collections.Concurrent;
using IoT.Reference.Contracts;
using IoT.Reference.DeviceManager.Storage;

namespace IoT.Reference.DeviceManager.Registry;

/// <summary>Which devices are there, and when each was last heard. Readings are many: their times are kept in memory and written some seconds later, at most one for a device.</summary>
internal sealed class Presences(Database database, TimeProvider time)
{
    private const int MaxHeard = 200_000;

    private readonly ConcurrentDictionary<string, DateTimeOffset> _heard = new(StringComparer.Ordinal);

    public void OnPresence(Presence presence)
    {
        var now = time.GetUtcNow();
        database.Execute(
            "update devices set online = $online, seen = case when $online then max(coalesce(seen, 0), $time) else seen end where id = $id",
            ("$id", presence.Device), ("$online", presence.Online ? 1 : 0), ("$time", presence.Time < now ? presence.Time : now));
    }

    public void OnHeard(string device)
    {
        if (_heard.Count < MaxHeard)
        {
            _heard[device] = time.GetUtcNow();
        }
    }

    /// <summary>Writes what was heard.</summary>
    public void Flush()
    {
        if (_heard.IsEmpty)
        {
            return;
        }

        database.Together(() =>
        {
            foreach (var (device, seen) in _heard)
            {
                database.Execute("update devices set seen = max(coalesce(seen, 0), $seen) where id = $id", ("$id", device), ("$seen", seen));
                _heard.TryRemove(KeyValuePair.Create(device, seen));
            }
        });
    }
}
