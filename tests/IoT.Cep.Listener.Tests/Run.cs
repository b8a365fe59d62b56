using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Threading.Channels;

namespace IoT.Cep.Listener.Tests;

/// <summary>The listener as a process.</summary>
internal sealed class Run : IAsyncDisposable
{
    internal static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly Process _process;
    private readonly Channel<string> _lines = Channel.CreateUnbounded<string>();
    private readonly ConcurrentDictionary<string, TaskCompletionSource<string>> _told = new();
    private readonly ConcurrentQueue<string> _errors = new();

    private Run(string[] args)
    {
        _process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "listener.dll"), .. args])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        _process.OutputDataReceived += (_, e) =>
        {
            if (e.Data is not null)
            {
                _lines.Writer.TryWrite(e.Data);
            }
            else
            {
                _lines.Writer.TryComplete();
            }
        };
        _process.ErrorDataReceived += (_, e) =>
        {
            _errors.Enqueue(e.Data ?? "");
            if (e.Data?.Split(' ', 2) is [var transport, var where])
            {
                Told(transport).TrySetResult(where);
            }
        };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    internal string Errors => string.Join('\n', _errors);

    internal static Run Start(params string[] args) => new(args);

    /// <summary>The port that the listener told.</summary>
    internal async Task<string> PortAsync(string transport)
    {
        try
        {
            return await Told(transport).Task.WaitAsync(Patience);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException(Errors);
        }
    }

    internal async Task<JsonElement> NextAsync()
    {
        try
        {
            return JsonDocument.Parse(await _lines.Reader.ReadAsync().AsTask().WaitAsync(Patience)).RootElement;
        }
        catch (Exception e) when (e is TimeoutException or ChannelClosedException)
        {
            throw new TimeoutException("No line came.\n" + Errors, e);
        }
    }

    internal async Task<string[]> RestAsync()
    {
        var rest = new List<string>();
        await foreach (string line in _lines.Reader.ReadAllAsync())
        {
            rest.Add(line);
        }

        return [.. rest];
    }

    internal async Task<int> ExitAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(Patience);
        return _process.ExitCode;
    }

    internal async Task InterruptAsync()
    {
        using var kill = Process.Start("kill", ["-INT", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync().WaitAsync(Patience);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    private TaskCompletionSource<string> Told(string transport) => _told.GetOrAdd(transport, _ => new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously));
}

/// <summary>Programs by which devices send.</summary>
internal static class Device
{
    /// <summary>The program's path; null where it is not installed.</summary>
    internal static string? Find(params string[] names) =>
        (from name in names
         from folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
         select Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    /// <summary>Sends by a program, with the payload in a file.</summary>
    internal static async Task SendAsync(string program, byte[] payload, params string[] args)
    {
        string file = Path.GetTempFileName();
        try
        {
            await File.WriteAllBytesAsync(file, payload);
            using var process = Process.Start(new ProcessStartInfo(program, args.Select(a => a.Replace("FILE", file, StringComparison.Ordinal)))
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            string said = await process.StandardError.ReadToEndAsync().WaitAsync(Run.Patience);
            await process.WaitForExitAsync().WaitAsync(Run.Patience);
            Assert.True(process.ExitCode == 0, said);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
