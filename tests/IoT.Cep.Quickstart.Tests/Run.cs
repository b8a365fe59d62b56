using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Microsoft.Data.Sqlite;

namespace IoT.Cep.Quickstart.Tests;

/// <summary>The quickstart as a process, with a folder for what it writes.</summary>
internal sealed class Run : IAsyncDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(2);

    private readonly Process _process;
    private readonly DirectoryInfo _folder;
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly SemaphoreSlim _counters = new(0);
    private readonly TaskCompletionSource _published = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Run(DirectoryInfo folder, string[] args)
    {
        _folder = folder;
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "quickstart.dll"), .. args])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        _process = Process.Start(start)!;
        _process.OutputDataReceived += Read;
        _process.ErrorDataReceived += Read;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    internal string Output => string.Join('\n', _lines);

    /// <summary>Starts with a database and a summary of its own.</summary>
    internal static Run Start(params string[] args)
    {
        var folder = Directory.CreateTempSubdirectory("quickstart");
        return new Run(folder, [.. args, "--database", Path.Combine(folder.FullName, "q.db"), "--summary", Path.Combine(folder.FullName, "q.json")]);
    }

    /// <summary>Starts with exactly these arguments.</summary>
    internal static Run StartBare(params string[] args) => new(Directory.CreateTempSubdirectory("quickstart"), args);

    /// <summary>Waits for the first line of counters.</summary>
    internal Task PublishesAsync() => _published.Task.WaitAsync(_patience);

    /// <summary>Waits for the next line of counters: a second of publishing.</summary>
    internal async Task GoesOnAsync() => Assert.True(await _counters.WaitAsync(_patience), Output);

    internal async Task InterruptAsync()
    {
        using var kill = Process.Start("kill", ["-INT", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync().WaitAsync(_patience);
    }

    internal async Task<int> ExitAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(_patience);
        return _process.ExitCode;
    }

    /// <summary>Waits for the end, and checks that the totals add up, in the summary and against the database.</summary>
    internal async Task<Dictionary<string, long>> TotalsAsync()
    {
        int exitCode = await ExitAsync();
        Assert.True(exitCode == 0, $"exit code {exitCode}\n{Output}");
        Assert.Contains("totals add up", Output, StringComparison.Ordinal);
        var totals = Summary();
        Assert.Equal(totals["received"], totals["published"] + totals["duplicates"]);
        Assert.Equal(totals["received"], totals["stored"] + totals["deadLetters"] + totals["dropped"] + totals["duplicates"]);
        Assert.Equal(totals["stored"], Count("readings"));
        Assert.Equal(totals["summaries"], Count("summaries"));
        Assert.Equal(totals["alerts"], Count("alerts"));
        Assert.Equal(totals["absences"], Count("silences"));
        Assert.Equal(totals["deadLetters"], Count("dead_letters"));
        return totals;
    }

    internal Dictionary<string, long> Summary() =>
        JsonSerializer.Deserialize<Dictionary<string, long>>(File.ReadAllText(Path.Combine(_folder.FullName, "q.json")))!;

    /// <summary>Asks the database; a table is made with its first row, so one without rows may not be there.</summary>
    internal long Query(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(_folder.FullName, "q.db")};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // the tests' own texts
        command.CommandText = sql;
#pragma warning restore CA2100
        return (long)command.ExecuteScalar()!;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
        _folder.Delete(recursive: true);
    }

    private long Count(string table) =>
        Query($"SELECT count(*) FROM sqlite_master WHERE name = '{table}'") == 0 ? 0 : Query($"SELECT count(*) FROM {table}");

    private void Read(object sender, DataReceivedEventArgs e)
    {
        if (e.Data is null)
        {
            return;
        }

        _lines.Enqueue(e.Data);
        if (e.Data.StartsWith("published", StringComparison.Ordinal))
        {
            _published.TrySetResult();
            _counters.Release();
        }
    }
}
