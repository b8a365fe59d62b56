using IoT.Cep.Extensibility;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Cep.Tests;

/// <summary>A SQLite file in a folder of its own, and what tests do with it.</summary>
internal sealed class SqliteFile : IDisposable, ICep
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("iotcep-");

    public SqliteFile(Action<SqliteOptions>? configure = null) => this.Sqlite(Path, o =>
    {
        o.BusyTimeout = TimeSpan.Zero;
        configure?.Invoke(o);
    });

    public string Path => System.IO.Path.Combine(_folder.FullName, "results.db");

    public Connections Connections { get; } = new();

    public DeadLetters DeadLetters => throw new NotSupportedException();

    public IEventStream<T> From<T>(ISource<T> source, Action<SourceOptions>? configure = null) => throw new NotSupportedException();

    public static SinkContext Context(Connections connections, bool hasIdentity = false) =>
        new(TimeProvider.System, connections, NullLogger.Instance, hasIdentity);

    public static SinkContext Configured(params (string Key, string? Value)[] settings) => Context(new Connections(
        new ConfigurationBuilder().AddInMemoryCollection(settings.Select(s => KeyValuePair.Create(s.Key, s.Value))).Build()));

    public static SinkBatch<T> Batch<T>(params T[] rows) => new() { Events = rows, Ticks = new long[rows.Length] };

    public static SinkBatch<T> Batch<T>(params (ResultId Id, T Row)[] rows) => new()
    {
        Events = rows.Select(r => r.Row).ToArray(),
        Ticks = new long[rows.Length],
        Ids = rows.Select(r => r.Id).ToArray(),
    };

    public async Task<IAsyncSink<T>> OpenAsync<T>(ISink<T> sink, bool hasIdentity = false)
    {
        var table = (IAsyncSink<T>)sink;
        await table.OpenAsync(Context(Connections, hasIdentity), CancellationToken.None);
        return table;
    }

    public async Task WriteAsync<T>(ISink<T> sink, params SinkBatch<T>[] batches)
    {
        await using var table = await OpenAsync(sink, batches.Any(b => !b.Ids.IsEmpty));
        foreach (var batch in batches)
        {
            await table.WriteAsync(batch, CancellationToken.None);
        }
    }

    public SqliteConnection Connect()
    {
        var connection = new SqliteConnection($"Data Source={Path};Pooling=False");
        connection.Open();
        return connection;
    }

    public void Execute(string sql)
    {
        using var connection = Connect();
        Execute(connection, sql);
    }

    public static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    public List<object?[]> Query(string sql)
    {
        using var connection = Connect();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        var rows = new List<object?[]>();
        while (reader.Read())
        {
            object?[] row = new object?[reader.FieldCount];
            reader.GetValues(row!);
            rows.Add([.. row.Select(v => v is DBNull ? null : v)]);
        }

        return rows;
    }

    public object? Scalar(string sql) => Query(sql)[0][0];

    public void Dispose() => _folder.Delete(recursive: true);
}
