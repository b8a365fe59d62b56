using Microsoft.Data.Sqlite;

namespace IoT.Cep.EndToEnd.Tests;

/// <summary>A database file in a folder of its own, and what tests ask of it.</summary>
internal sealed class Database : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("iotcep-e2e-");

    internal string File => Path.Combine(_folder.FullName, "results.db");

    internal List<object[]> Query(string sql)
    {
        using var connection = Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        var rows = new List<object[]>();
        while (reader.Read())
        {
            object[] row = new object[reader.FieldCount];
            reader.GetValues(row);
            rows.Add(row);
        }

        return rows;
    }

    internal long Count(string table) => (long)Query($"select count(*) from {table}")[0][0];

    internal HashSet<int> Readings() => [.. Query("select celsius from readings").Select(row => (int)(double)row[0])];

    internal SqliteConnection Open()
    {
        var connection = new SqliteConnection($"Data Source={File};Pooling=False");
        connection.Open();
        return connection;
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
