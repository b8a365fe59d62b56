using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;

namespace IoT.Cep;

/// <summary>
/// A file of records that only grows: <c>length, CRC-32C, bytes</c>. One task writes: what gathered while it wrote goes out in one piece and one call to the disk, and whoever waits is told then. A record
/// that a crash cut off ends the file: nobody was told that it was kept. When the file has more than twice what is alive, it is written anew beside and put in its place.
/// </summary>
/// <param name="folder">Where the file is; one process at a time.</param>
/// <param name="apply">Takes each record when the file is opened.</param>
/// <param name="snapshot">Gives what is alive; calls what it is given at the moment for which that holds.</param>
internal sealed class BrokerLog(string folder, Action<byte[]> apply, Func<Action, List<byte[]>> snapshot) : IAsyncDisposable
{
    private const int HeaderBytes = 8;

    /// <summary>No record is longer: the longest packet and its names.</summary>
    private const int MaxRecordBytes = 1 << 29;

    /// <summary>Below this much of it, writing the file anew gains nothing.</summary>
    private const long MinRewriteBytes = 4 << 20;

    private static readonly byte[] _magic = "IoT.Cep broker 1"u8.ToArray();

    private readonly string _path = Path.Combine(folder, "broker.log");
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _wake = new(0);
    private ArrayBufferWriter<byte> _gathered = new();
    private ArrayBufferWriter<byte> _writing = new();
    private TaskCompletionSource<bool> _next = NewBatch();
    private Task<bool> _current = Task.FromResult(true);
    private FileStream? _file;
    private FileStream? _lock;
    private Task _run = Task.CompletedTask;
    private long _rewritten;
    private bool _isClosing;
    private bool _hasFailed;

    /// <summary>What was wrong with the end of the file; null: nothing.</summary>
    internal string? Damage { get; private set; }

    /// <summary>Reads what there is, and begins to write.</summary>
    /// <exception cref="InvalidDataException">The file is none of this kind.</exception>
    /// <exception cref="IOException">It can't be read or written, or another process has it.</exception>
    internal void Open()
    {
        Directory.CreateDirectory(folder);
        _lock = new FileStream(Path.Combine(folder, "broker.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        try
        {
            Load();
        }
        catch
        {
            _file?.Dispose();
            _lock.Dispose();
            throw;
        }

        _run = Task.Run(RunAsync);
    }

    private void Load()
    {
        _file = new FileStream(_path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 1 << 16);
        if (_file.Length == 0)
        {
            _file.Write(_magic);
            _file.Flush(flushToDisk: true);
        }

        Read(_file);
        _rewritten = _file.Length;
    }

    internal void Append(byte[] record)
    {
        lock (_gate)
        {
            if (_hasFailed)
            {
                return;
            }

            bool isFirst = _gathered.WrittenCount == 0;
            Put(_gathered, record);
            if (isFirst)
            {
                _wake.Release();
            }
        }
    }

    /// <summary>Completes when all that was appended until now is on the disk. False: it can't be written.</summary>
    internal Task<bool> FlushedAsync()
    {
        lock (_gate)
        {
            return _hasFailed ? Task.FromResult(false) : _gathered.WrittenCount > 0 ? _next.Task : _current;
        }
    }

    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            _isClosing = true;
        }

        _wake.Release();
        await _run.ConfigureAwait(false);
        _wake.Dispose();
        if (_file is not null)
        {
            await _file.DisposeAsync().ConfigureAwait(false);
        }

        if (_lock is not null)
        {
            await _lock.DisposeAsync().ConfigureAwait(false);
        }
    }

    private static TaskCompletionSource<bool> NewBatch() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static void Put(ArrayBufferWriter<byte> output, byte[] record)
    {
        var span = output.GetSpan(HeaderBytes + record.Length);
        BinaryPrimitives.WriteInt32LittleEndian(span, record.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(span[4..], Checksum(record));
        record.CopyTo(span[HeaderBytes..]);
        output.Advance(HeaderBytes + record.Length);
    }

    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        // Begun with the length, so that a hole of zeros is no record.
        uint crc = BitOperations.Crc32C(uint.MaxValue, (uint)bytes.Length);
        while (bytes.Length >= 8)
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[8..];
        }

        foreach (byte b in bytes)
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        return ~crc;
    }

    private void Read(FileStream file)
    {
        file.Position = 0;
        byte[] magic = new byte[_magic.Length];
        if (file.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false) < magic.Length || !magic.AsSpan().SequenceEqual(_magic))
        {
            throw new InvalidDataException($"{_path} is no log of a broker.");
        }

        byte[] header = new byte[HeaderBytes];
        long good = file.Position;
        while (true)
        {
            int read = file.ReadAtLeast(header, HeaderBytes, throwOnEndOfStream: false);
            int length = BinaryPrimitives.ReadInt32LittleEndian(header);
            if (read < HeaderBytes || length is < 0 or > MaxRecordBytes || length > file.Length - file.Position)
            {
                Damage = read == 0 ? null : $"{_path} ends at {good} of {file.Length} bytes: a record was cut off.";
                break;
            }

            byte[] record = new byte[length];
            file.ReadExactly(record);
            if (Checksum(record) != BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(4)))
            {
                Damage = $"{_path} ends at {good} of {file.Length} bytes: a record's checksum is wrong.";
                break;
            }

            apply(record);
            good = file.Position;
        }

        file.SetLength(good);
        file.Position = good;
    }

    private async Task RunAsync()
    {
        while (true)
        {
            await _wake.WaitAsync().ConfigureAwait(false);
            TaskCompletionSource<bool> batch;
            lock (_gate)
            {
                if (_gathered.WrittenCount == 0 && _isClosing)
                {
                    return;
                }

                (_gathered, _writing) = (_writing, _gathered);
                batch = _next;
                _current = batch.Task;
                _next = NewBatch();
            }

            bool isWritten = TryWrite();
            batch.TrySetResult(isWritten);
            if (!isWritten)
            {
                return;
            }
        }
    }

    private bool TryWrite()
    {
        try
        {
            _file!.Write(_writing.WrittenSpan);
            _file.Flush(flushToDisk: true);
            _writing.ResetWrittenCount();
            if (_file.Length > Math.Max(MinRewriteBytes, 2 * _rewritten))
            {
                Rewrite();
            }

            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A full or broken disk: from here on nothing is acknowledged that would have to be kept.
            lock (_gate)
            {
                _hasFailed = true;
                _next.TrySetResult(false);
            }

            return false;
        }
    }

    private void Rewrite()
    {
        // What is gathered by the moment of the snapshot is in it; what comes later is written behind it.
        ArrayBufferWriter<byte> dropped = new();
        TaskCompletionSource<bool>? batch = null;
        var records = snapshot(() =>
        {
            lock (_gate)
            {
                (_gathered, dropped) = (dropped, _gathered);
                (batch, _next) = (_next, NewBatch());
                _current = batch.Task;
            }
        });
        try
        {
            Replace(records);
            batch!.TrySetResult(true);
        }
        finally
        {
            // After a failure nobody must go on waiting.
            batch!.TrySetResult(false);
        }
    }

    private void Replace(List<byte[]> records)
    {
        string path = _path + ".new";
        var file = new FileStream(path, FileMode.Create, FileAccess.ReadWrite, FileShare.Read, bufferSize: 1 << 16);
        file.Write(_magic);
        var output = new ArrayBufferWriter<byte>();
        foreach (byte[] record in records)
        {
            output.ResetWrittenCount();
            Put(output, record);
            file.Write(output.WrittenSpan);
        }

        file.Flush(flushToDisk: true);
        File.Move(path, _path, overwrite: true);
        _file!.Dispose();
        _file = file;
        _rewritten = file.Length;
    }
}
