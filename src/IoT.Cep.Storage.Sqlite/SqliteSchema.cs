using Microsoft.Data.Sqlite;

namespace IoT.Cep;

/// <summary>A table's layout: creates it, or compares it with what is there.</summary>
internal static class SqliteSchema
{
    /// <summary>The identity's columns. Names of results' own columns never begin with an underscore and these words.</summary>
    public static readonly string[] Identity = ["_key", "_start", "_end", "_ordinal"];

    private static readonly string[] _identityTypes = ["TEXT", "INTEGER", "INTEGER", "INTEGER"];

    // Time first: new results then lie together at the index's end, which makes writing twice as fast as key first.
    private const string Unique = "_start, _key, _end, _ordinal";

    public static string Quote(string name) => string.Concat("\"", name.Replace("\"", "\"\"", StringComparison.Ordinal), "\"");

    /// <summary>Refuses names that SQLite can't have or tell apart.</summary>
    public static void CheckNames<T>(string table, SqliteColumn<T>[] columns)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(table);
        if (table.Contains('\0', StringComparison.Ordinal) || table.StartsWith("sqlite_", StringComparison.OrdinalIgnoreCase))
        {
            throw new ArgumentException(
                $"'{table.Replace('\0', '?')}' can't be a table's name: "
                + "SQLite keeps names that begin with sqlite_ for itself, and a name has no NUL.", nameof(table));
        }

        var seen = new HashSet<string>(Identity, StringComparer.OrdinalIgnoreCase);
        foreach (var column in columns)
        {
            if (string.IsNullOrWhiteSpace(column.Name) || column.Name.Contains('\0', StringComparison.Ordinal))
            {
                throw new ArgumentException($"A column of '{table}' has an empty name or one with a NUL.", nameof(columns));
            }

            if (!seen.Add(column.Name))
            {
                throw new ArgumentException(
                    $"The table '{table}' would have the column '{column.Name}' twice: "
                    + $"SQLite takes upper and lower case for the same, and {string.Join(", ", Identity)} belong to the results' identity. "
                    + "List the columns under other names: Sqlite.Table(table, columns => columns.Add(...)).", nameof(columns));
            }
        }
    }

    /// <summary>Compares an existing table with the columns; does nothing where it does not exist.</summary>
    /// <returns>Whether the table exists.</returns>
    /// <exception cref="InvalidOperationException">It does not fit; the message says what to do.</exception>
    public static bool Check(SqliteDatabase database, string table, IEnumerable<(string Name, string Type)> columns)
    {
        var existing = Names(database, table, "true").ToHashSet(StringComparer.OrdinalIgnoreCase);
        if (existing.Count == 0)
        {
            return false;
        }

        var missing = columns.Where(c => !existing.Contains(c.Name)).ToArray();
        if (missing.Length > 0)
        {
            string add = string.Join(" ", missing.Select(c => $"ALTER TABLE {Quote(table)} ADD COLUMN {Quote(c.Name)} {c.Type};"));
            throw new InvalidOperationException(
                $"The table '{table}' in {database.File} has no column {string.Join(", ", missing.Select(c => c.Name))}. "
                + $"Rename the old table, write to another one, or add what is missing: {add}");
        }

        return true;
    }

    /// <summary>Makes sure that rows of these columns can be written. The caller holds the lock and has begun a transaction.</summary>
    public static void Ensure<T>(SqliteDatabase database, string table, SqliteColumn<T>[] columns, bool keyed)
    {
        if (!Fits(database, table, columns, keyed))
        {
            string values = string.Join(", ", columns.Select(c => $"{Quote(c.Name)} {c.Type}"));
            string identity = keyed
                ? $", {string.Join(", ", Identity.Zip(_identityTypes, (n, t) => $"{n} {t} NOT NULL"))}, PRIMARY KEY ({Unique})"
                : "";
            database.Execute($"CREATE TABLE {Quote(table)} ({values}{identity})");
        }
    }

    /// <summary>Compares an existing table with the rows to come, and changes nothing. The caller holds the lock.</summary>
    /// <exception cref="InvalidOperationException">It does not fit; the message says what to do.</exception>
    public static void CheckFit<T>(SqliteDatabase database, string table, SqliteColumn<T>[] columns, bool keyed)
    {
        if (Fits(database, table, columns, keyed))
        {
            Prepare(database, table, columns, keyed).Dispose();
        }
    }

    private static bool Fits<T>(SqliteDatabase database, string table, SqliteColumn<T>[] columns, bool keyed)
    {
        var all = columns.Select(c => (c.Name, c.Type)).Concat(keyed ? Identity.Zip(_identityTypes) : []);
        if (!Check(database, table, all))
        {
            return false;
        }

        string[] unfilled = Required(database, table).Except(columns.Select(c => c.Name), StringComparer.OrdinalIgnoreCase)
            .Except(keyed ? Identity : [], StringComparer.OrdinalIgnoreCase).ToArray();
        if (unfilled.Length > 0)
        {
            string why = unfilled.Intersect(Identity, StringComparer.OrdinalIgnoreCase).Any()
                ? "it holds one row per result's identity, and these results have none. Write them to another table."
                : "give them a default or let them be NULL.";
            throw new InvalidOperationException(
                $"The table '{table}' in {database.File} wants a value in {string.Join(", ", unfilled)}, which the results don't have: {why}");
        }

        return true;
    }

    /// <summary>The statement that writes a row; parameters are numbered in the order of the columns, then the identity.</summary>
    public static SqliteStatement Prepare<T>(SqliteDatabase database, string table, SqliteColumn<T>[] columns, bool keyed)
    {
        string[] names = columns.Select(c => Quote(c.Name)).Concat(keyed ? Identity : []).ToArray();
        string insert = $"INSERT INTO {Quote(table)} ({string.Join(", ", names)}) VALUES ({string.Join(", ", names.Select(_ => "?"))})";
        if (!keyed)
        {
            return database.Prepare(insert);
        }

        try
        {
            return database.Prepare(
                $"{insert} ON CONFLICT ({Unique}) DO UPDATE SET "
                + string.Join(", ", columns.Select(c => $"{Quote(c.Name)} = excluded.{Quote(c.Name)}")));
        }
        catch (SqliteException error) when (error.Message.Contains("ON CONFLICT clause", StringComparison.Ordinal))
        {
            throw new InvalidOperationException(
                $"The table '{table}' in {database.File} does not keep identities apart. Add CREATE UNIQUE INDEX {Quote(table + "_identity")} "
                + $"ON {Quote(table)} ({Unique});", error);
        }
    }

    /// <summary>The statement that deletes the row of an identity.</summary>
    public static SqliteStatement PrepareDelete(SqliteDatabase database, string table) => database.Prepare(
        $"DELETE FROM {Quote(table)} WHERE {string.Join(" AND ", Identity.Select(name => $"{name} = ?"))}");

    // What the table wants a value for; an INTEGER primary key numbers itself.
    private static List<string> Required(SqliteDatabase database, string table) =>
        Names(database, table, """ "notnull" AND dflt_value IS NULL AND NOT (pk = 1 AND upper(type) = 'INTEGER') """);

    private static List<string> Names(SqliteDatabase database, string table, string condition)
    {
        var names = new List<string>();
        using var info = database.Prepare($"SELECT name FROM pragma_table_info(?) WHERE {condition}");
        info.Text(1, table);
        while (info.Read())
        {
            names.Add(info.TextAt(0)!);
        }

        return names;
    }
}
