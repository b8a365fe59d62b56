using System.Security.Cryptography;
using IoT.Reference.Contracts;
using IoT.Reference.DeviceManager.Jobs;
using IoT.Reference.DeviceManager.Registry;
using IoT.Reference.DeviceManager.Storage;

namespace IoT.Reference.DeviceManager;

/// <summary>What is kept of a person: all of it to take along, or none any more.</summary>
internal sealed class People(Database database, DeviceRegistry registry, Twins twins, JobStore jobs, AuditLog audit)
{
    private const int MaxRows = 10_000;

    public PersonalDevices Export(string user)
    {
        Check(user);
        return new PersonalDevices(
            user,
            database.Query($"select {Rows.Device} from devices where owner = $user order by id limit {MaxRows}", Rows.ReadDevice, ("$user", user)),
            database.Query($"select device, owner, since, until, by_whom from owners where owner = $user or by_whom = $user order by n limit {MaxRows}", Rows.ReadOwnership, ("$user", user)),
            database.Query($"select {Rows.Command} from commands where by_whom = $user order by id limit {MaxRows}", Rows.ReadCommand, ("$user", user)),
            jobs.Of(user),
            database.Query(
                $"select time, subject, action, resource, outcome, detail, origin from audit where subject = $user order by n desc limit {MaxRows}", Rows.ReadAudit, ("$user", user)));
    }

    /// <summary>
    /// Nothing of the person is left in the files: devices lose owner, attributes, place, state and the words of their commands; who did what stays as a pseudonym that nobody can trace back, so that
    /// the audit still shows what one and the same hand did.
    /// </summary>
    /// <returns>The devices that were the person's, for the other layers.</returns>
    public List<string> Erase(string user)
    {
        Check(user);
        string pseudonym = "erased-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
        var devices = database.Together(() =>
        {
            var owned = database.Query("select id from devices where owner = $user", static r => r.GetString(0), ("$user", user));
            var ever = database.Query("select distinct device from owners where owner = $user", static r => r.GetString(0), ("$user", user));
            foreach (string device in owned)
            {
                registry.Release(device);
                twins.Forget(device);
                database.Execute("update devices set attributes = null, latitude = null, longitude = null where id = $id", ("$id", device));
            }

            foreach (string device in ever)
            {
                ForgetWords("device = $subject and state >= 3", device);
                database.Execute("update audit set detail = null, origin = null where resource = $resource", ("$resource", Resources.Device(device)));
            }

            ForgetWords("by_whom = $subject and state >= 3", user);
            Rename(user, pseudonym);
            return owned;
        });
        audit.Write(AuditLog.Layer, "erase", "person:" + pseudonym, "done", $"{devices.Count} devices");
        database.Compact();
        return devices;
    }

    private static void Check(string user)
    {
        if (user is not { Length: > 0 and <= 128 })
        {
            throw Refusal.NotFound();
        }
    }

    private void ForgetWords(string which, string subject) => database.Execute(
        "update commands set arguments = null, reason = null, detail = null, result = null, trace = null where " + which, ("$subject", subject));

    private void Rename(string user, string pseudonym)
    {
        // What still waits for a device must keep what it needs to be done, and loses what only people need.
        database.Execute("update commands set reason = null, by_whom = $new where by_whom = $user", ("$user", user), ("$new", pseudonym));
        database.Execute("update owners set owner = $new where owner = $user", ("$user", user), ("$new", pseudonym));
        database.Execute("update owners set by_whom = $new where by_whom = $user", ("$user", user), ("$new", pseudonym));
        database.Execute(
            "update jobs set name = $new, by_whom = $new, detail = null, request = json_remove(json_set(request, '$.name', $new), '$.command.reason') where by_whom = $user",
            ("$user", user), ("$new", pseudonym));
        database.Execute("update rollouts set by_whom = $new where by_whom = $user", ("$user", user), ("$new", pseudonym));
        database.Execute("update audit set subject = $new, detail = null, origin = null where subject = $user", ("$user", user), ("$new", pseudonym));

        // A person's name that stands in the address of a refused request, say.
        database.Execute("update audit set resource = 'erased', detail = null where resource like '%' || $user || '%' and resource not like 'device:%'", ("$user", user));
        database.Execute("update audit set detail = null where detail like '%' || $user || '%'", ("$user", user));
        database.Execute("delete from outbox where kind = 0 and body like '%' || $user || '%' and n < (select max(n) from outbox o where o.device = outbox.device)", ("$user", user));
    }
}
