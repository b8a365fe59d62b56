using System.Buffers;
using System.Globalization;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Appends results to a file as lines. A batch is in the file whole, or is taken back from it.</summary>
internal sealed class FileSink<T>(string path, Action<T, IBufferWriter<byte>> encode, FileSinkOptions options) : IAsyncSink<T>
{
    private readonly ArrayBufferWriter<byte> _lines = new();
    private readonly SemaphoreSlim _gate = new(1, 1);
    private FileStream? _file;

    public string Name { get; } = "file " + SafeText.Escape(Path.GetFileName(path));

    public bool IsDurable => options.FlushToDisk;

    public bool UsesIdentity => false;

    public ValueTask CheckAsync(SinkContext context, CancellationToken stop)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? "";
        return !Directory.Exists(folder)
            ? throw new SinkConfigurationException($"The folder {folder} does not exist; make it.")
            : Directory.Exists(path) ? throw new SinkConfigurationException($"{path} is a folder; give a file's name.") : ValueTask.CompletedTask;
    }

    public async ValueTask OpenAsync(SinkContext context, CancellationToken stop)
    {
        await _gate.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            _file ??= Open();
        }
        finally
        {
            _gate.Release();
        }
    }

    public async ValueTask WriteAsync(SinkBatch<T> batch, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(batch);
        await _gate.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            Encode(batch);
            if (_lines.WrittenCount > 0)
            {
                await AppendAsync(stop).ConfigureAwait(false);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _gate.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_file is { } file)
            {
                _file = null;
                await file.DisposeAsync().ConfigureAwait(false);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    private async ValueTask AppendAsync(CancellationToken stop)
    {
        if (_file is { Length: > 0 } full && full.Length + _lines.WrittenCount > options.MaxFileBytes)
        {
            _file = null;
            await full.DisposeAsync().ConfigureAwait(false);
            Rotate();
        }

        var file = _file ??= Open();
        long before = file.Length;
        try
        {
            await file.WriteAsync(_lines.WrittenMemory, stop).ConfigureAwait(false);
            await file.FlushAsync(stop).ConfigureAwait(false);
            if (options.FlushToDisk)
            {
                file.Flush(flushToDisk: true);
            }
        }
        catch
        {
            file.SetLength(before);
            throw;
        }
    }

    private void Encode(SinkBatch<T> batch)
    {
        var results = batch.Events.Span;
        var kinds = batch.Kinds.Span;
        _lines.ResetWrittenCount();
        for (int row = 0; row < results.Length; row++)
        {
            // What stands in the file can't be taken out of it.
            if (!kinds.IsEmpty && kinds[row] == EventKind.Retract)
            {
                continue;
            }

            int start = _lines.WrittenCount;
            SinkRows.Encode(results[row], row, encode, _lines);
            if (_lines.WrittenSpan[start..].ContainsAny((byte)'\n', (byte)'\r'))
            {
                throw new SinkRejectedException(row, "The text has a line end, which would make two lines of it.");
            }

            _lines.Write("\n"u8);
        }
    }

    private FileStream Open()
    {
        var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete, bufferSize: 0, FileOptions.Asynchronous);
        if (file.Length > 0)
        {
            file.Seek(-1, SeekOrigin.End);
            if (file.ReadByte() != '\n')
            {
                // A crash left half a line. Nothing is taken away; it ends here, so that the next one begins a line.
                file.WriteByte((byte)'\n');
            }
        }

        file.Seek(0, SeekOrigin.End);
        return file;
    }

    private void Rotate()
    {
        if (options.MaxFiles == 0)
        {
            File.Delete(path);
            return;
        }

        for (int i = options.MaxFiles - 1; i >= 0; i--)
        {
            string from = i == 0 ? path : Numbered(i);
            if (File.Exists(from))
            {
                File.Move(from, Numbered(i + 1), overwrite: true);
            }
        }
    }

    private string Numbered(int i) => path + "." + i.ToString(CultureInfo.InvariantCulture);
}
