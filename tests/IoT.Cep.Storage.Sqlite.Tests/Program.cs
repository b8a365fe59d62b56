using IoT.Cep.Extensibility;

namespace IoT.Cep.Tests;

/// <summary>Writes batches without end into the file of its first argument: the process that a test kills.</summary>
internal static class Program
{
    public const int BatchRows = 500;

    public static async Task<int> Main(string[] args)
    {
        var connections = new Connections();
        connections.Set(new SqliteOptions(args[0]));
        await using var table = (IAsyncSink<Numbered>)Sqlite.Table<Numbered>("numbers");
        await table.OpenAsync(SqliteFile.Context(connections), CancellationToken.None);
        for (int batch = 0; ; batch++)
        {
            var rows = Enumerable.Range(0, BatchRows).Select(i => new Numbered(batch, i, new string('x', 100))).ToArray();
            await table.WriteAsync(SqliteFile.Batch(rows), CancellationToken.None);
            await Console.Out.WriteLineAsync(batch.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
    }
}

public sealed record Numbered(int Batch, int Row, string Text);
