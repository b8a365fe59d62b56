using IoT.Reference.Analytics.Ingest;
using IoT.Reference.Contracts;

using Microsoft.Data.Sqlite;

namespace IoT.Reference.Analytics.Storage;

/// <summary>How coarse stored history is.</summary>
internal sealed record Step(string Table, TimeSpan Size)
{
    public static readonly Step Minute = new("minutes", TimeSpan.FromMinutes(1));
    public static readonly Step Hour = new("hours", TimeSpan.FromHours(1));
}

/// <summary>A roll-up: the readings of a device's measure in a window.</summary>
/// <param name="Sequence">The last reading in it.</param>
internal readonly record struct RollUp(string Device, string Name, DateTimeOffset Start, long Count, double Sum, double Min, double Max, long Sequence);

/// <summary>
/// Readings and what they roll up to. A reading is stored once, whatever comes twice: its device, name and time are its key. A roll-up always is what the stored readings add up to: the first
/// result of a window that this process saw from its beginning is stored as it is; any other (a correction, a window that a restart cut in two, a reading too late for its window) is counted anew
/// from the readings.
/// </summary>
internal sealed class History(Store store, DateTimeOffset started)
{
    // Those that were erased while this process runs: windows that were open then must not bring them back. No file may name them, and no window outlives the process.
    private readonly Dictionary<string, long> _erased = [];
    private readonly HashSet<string> _returned = [];
    private long _stored;

    /// <summary>All readings up to this one are in the file.</summary>
    public long StoredSequence => Volatile.Read(ref _stored);

    public void Append(ReadOnlySpan<Reading> readings)
    {
        var rows = readings.ToArray();
        store.Write(connection =>
        {
            using var command = connection.Command(
                "INSERT INTO readings VALUES (@device, @name, @time, @value) ON CONFLICT DO NOTHING", ("@device", ""), ("@name", ""), ("@time", 0L), ("@value", 0.0));
            command.Prepare();
            foreach (var reading in rows)
            {
                if (!MayStore(in reading))
                {
                    continue;
                }

                command.Parameters[0].Value = reading.Device;
                command.Parameters[1].Value = reading.Name;
                command.Parameters[2].Value = reading.Time.UtcTicks;
                command.Parameters[3].Value = reading.Value;
                command.ExecuteNonQuery();
            }
        });
        if (rows.Length > 0)
        {
            Volatile.Write(ref _stored, rows[^1].Sequence);
        }
    }

    /// <summary>Stores the results of windows.</summary>
    /// <exception cref="InvalidOperationException">Readings that they are about are not stored yet: try again.</exception>
    public void Roll(Step step, ReadOnlySpan<RollUp> windows)
    {
        var rows = windows.ToArray();
        long last = rows.Max(r => r.Sequence);
        if (last > StoredSequence)
        {
            throw new InvalidOperationException("The readings of this window are not stored yet.");
        }

        store.Write(connection =>
        {
            using var insert = connection.Command(
                $"INSERT INTO {step.Table} VALUES (@device, @name, @time, @count, @sum, @min, @max) ON CONFLICT DO NOTHING",
                ("@device", ""), ("@name", ""), ("@time", 0L), ("@count", 0L), ("@sum", 0.0), ("@min", 0.0), ("@max", 0.0));
            insert.Prepare();
            foreach (var row in rows)
            {
                if (IsErased(row.Device, row.Sequence))
                {
                    continue;
                }

                object[] values = [row.Device, row.Name, row.Start.UtcTicks, row.Count, row.Sum, row.Min, row.Max];
                for (int i = 0; i < values.Length; i++)
                {
                    insert.Parameters[i].Value = values[i];
                }

                if (row.Start < started || insert.ExecuteNonQuery() == 0)
                {
                    CountAnew(connection, step, row.Device, row.Name, row.Start.UtcTicks);
                }
            }
        });
    }

    /// <summary>Readings that came too late for their windows: the roll-ups are counted anew.</summary>
    public void Correct(Step step, ReadOnlySpan<Reading> late)
    {
        var windows = new HashSet<RollUp>();
        foreach (var reading in late)
        {
            windows.Add(new RollUp(reading.Device, reading.Name, Align(reading.Time, step.Size), 0, 0, 0, 0, reading.Sequence));
        }

        if (windows.Max(w => w.Sequence) > StoredSequence)
        {
            throw new InvalidOperationException("The late readings are not stored yet.");
        }

        store.Write(connection =>
        {
            foreach (var window in windows)
            {
                if (!IsErased(window.Device, window.Sequence))
                {
                    CountAnew(connection, step, window.Device, window.Name, window.Start.UtcTicks);
                }
            }
        });
    }

    /// <summary>At the start: windows that were open when the process before ended have no roll-up, or that of a part.</summary>
    public void Repair(TimeSpan back) => store.Write(connection =>
    {
        foreach (var step in (Step[])[Step.Minute, Step.Hour])
        {
            connection.Run(
                $"""
                INSERT OR REPLACE INTO {step.Table} SELECT device, name, time - time % @size, COUNT(*), SUM(value), MIN(value), MAX(value) FROM readings
                WHERE time >= @from GROUP BY device, name, time - time % @size
                """,
                ("@size", step.Size.Ticks), ("@from", Align(started - back, Step.Hour.Size).UtcTicks));
        }
    });

    public IReadOnlyList<StoredReading> Read(string device, string step, DateTimeOffset from, DateTimeOffset to, string? name, int limit) => store.Read(connection => connection.Rows(
        row => new StoredReading(
            device, row.GetString(0), row.Time(1), row.GetDouble(2), row.GetInt64(3), row.IsDBNull(4) ? null : row.GetDouble(4), row.IsDBNull(5) ? null : row.GetDouble(5)),
        step == "raw"
            ? """
              SELECT name, time, value, 1, NULL, NULL FROM readings WHERE device = @device AND time >= @from AND time < @to AND (@name IS NULL OR name = @name) ORDER BY time, name LIMIT @limit
              """
            : $"""
               SELECT name, time, sum / count, count, min, max FROM {(step == "hour" ? Step.Hour : Step.Minute).Table}
               WHERE device = @device AND time >= @from AND time < @to AND (@name IS NULL OR name = @name) ORDER BY time, name LIMIT @limit
               """,
        ("@device", device), ("@from", from.UtcTicks), ("@to", to.UtcTicks), ("@name", name), ("@limit", limit)));

    /// <summary>Deletes all that is about these devices; no file names them any more when it returns.</summary>
    /// <param name="sequence">The last reading that was taken so far: those up to it do not come back.</param>
    public void Erase(IReadOnlyList<string> devices, long sequence)
    {
        lock (_erased)
        {
            foreach (string device in devices)
            {
                _erased[device] = sequence;
                _returned.Remove(device);
            }
        }

        store.Erase(connection =>
        {
            foreach (string table in (string[])["readings", "minutes", "hours", "alerts", "sessions", "job_results"])
            {
                foreach (string device in devices)
                {
                    connection.Run($"DELETE FROM {table} WHERE device = @device", ("@device", device));
                }
            }

            // A job's request may name them as well; its results are not those of the history any more.
            foreach (string device in devices)
            {
                connection.Run("DELETE FROM jobs WHERE instr(request, @device) > 0", ("@device", "\"" + device + "\""));
            }
        });
    }

    public bool IsErased(string device, long sequence)
    {
        lock (_erased)
        {
            return _erased.Count > 0 && _erased.TryGetValue(device, out long until) && sequence <= until;
        }
    }

    /// <summary>Whether a device was erased and has sent nothing since: what rules still know of it must not become an alert.</summary>
    public bool IsGone(string device)
    {
        lock (_erased)
        {
            return _erased.ContainsKey(device) && !_returned.Contains(device);
        }
    }

    private bool MayStore(in Reading reading)
    {
        lock (_erased)
        {
            if (_erased.Count == 0 || !_erased.TryGetValue(reading.Device, out long until))
            {
                return true;
            }

            if (reading.Sequence > until)
            {
                _returned.Add(reading.Device);
            }

            return reading.Sequence > until;
        }
    }

    // Borders are aligned to 1970, which is a whole number of hours after year 1.
    internal static DateTimeOffset Align(DateTimeOffset time, TimeSpan size) => new(time.UtcTicks - (time.UtcTicks % size.Ticks), TimeSpan.Zero);

    private static void CountAnew(SqliteConnection connection, Step step, string device, string name, long start) => connection.Run(
        $"""
        INSERT OR REPLACE INTO {step.Table} SELECT device, name, @start, COUNT(*), SUM(value), MIN(value), MAX(value) FROM readings
        WHERE device = @device AND name = @name AND time >= @start AND time < @end GROUP BY device, name
        """,
        ("@device", device), ("@name", name), ("@start", start), ("@end", start + step.Size.Ticks));
}
