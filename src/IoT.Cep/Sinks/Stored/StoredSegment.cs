using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using Microsoft.Win32.SafeHandles;

namespace IoT.Cep;

/// <summary>A record of the log.</summary>
/// <param name="Segment">The file that it stands in.</param>
/// <param name="Sequence">Its number.</param>
/// <param name="End">Where it ends in the file.</param>
/// <param name="Body">What was stored.</param>
internal readonly record struct StoredRecord(StoredSegment Segment, long Sequence, long End, ReadOnlyMemory<byte> Body);

/// <summary>One file of the log: records of length, checksum, number and body, one behind the other.</summary>
internal sealed class StoredSegment : IDisposable
{
    /// <summary>Length, checksum, number.</summary>
    internal const int HeaderBytes = 16;

    private readonly string _path;
    private readonly SafeFileHandle _file;

    private StoredSegment(string path, long first)
    {
        (_path, First, Next) = (path, first, first);
        _file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
    }

    /// <summary>The number of its first record, which is also its name.</summary>
    internal long First { get; }

    /// <summary>The number behind its last record.</summary>
    internal long Next { get; private set; }

    /// <summary>How many bytes of it are records.</summary>
    internal long Length { get; private set; }

    internal static StoredSegment Create(string folder, long first) =>
        new(Path.Combine(folder, first.ToString("D19", CultureInfo.InvariantCulture) + ".log"), first);

    /// <summary>Opens a file that is there: its records up to the first that is not whole. What lies behind is cut off.</summary>
    internal static StoredSegment? Open(string path, out long damaged)
    {
        damaged = 0;
        if (!long.TryParse(Path.GetFileNameWithoutExtension(path), NumberStyles.None, CultureInfo.InvariantCulture, out long first))
        {
            return null;
        }

        var segment = new StoredSegment(path, first);
        long size = RandomAccess.GetLength(segment._file);
        while (segment.TryRead(segment.Length, size, out var record))
        {
            (segment.Length, segment.Next) = (record.End, record.Sequence + 1);
        }

        damaged = size - segment.Length;
        if (damaged > 0)
        {
            RandomAccess.SetLength(segment._file, segment.Length);
        }

        return segment;
    }

    /// <summary>Adds a record's frame to bytes that will be appended.</summary>
    internal static void Frame(ReadOnlySpan<byte> body, long sequence, IBufferWriter<byte> output)
    {
        var frame = output.GetSpan(HeaderBytes + body.Length);
        BinaryPrimitives.WriteInt32LittleEndian(frame, body.Length);
        BinaryPrimitives.WriteInt64LittleEndian(frame[8..], sequence);
        body.CopyTo(frame[HeaderBytes..]);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[4..], Checksum(body, sequence));
        output.Advance(HeaderBytes + body.Length);
    }

    /// <summary>Appends whole records. Where it throws, nothing was appended.</summary>
    internal void Append(ReadOnlySpan<byte> frames, int records, bool flush)
    {
        try
        {
            RandomAccess.Write(_file, frames, Length);
            if (flush)
            {
                RandomAccess.FlushToDisk(_file);
            }
        }
        catch (IOException)
        {
            RandomAccess.SetLength(_file, Length);
            throw;
        }

        Length += frames.Length;
        Next += records;
    }

    /// <summary>Reads the record at a place.</summary>
    internal bool TryRead(long at, out StoredRecord record) => TryRead(at, Length, out record);

    internal void Delete()
    {
        Dispose();
        File.Delete(_path);
    }

    public void Dispose() => _file.Dispose();

    private bool TryRead(long at, long size, out StoredRecord record)
    {
        record = default;
        Span<byte> header = stackalloc byte[HeaderBytes];
        if (size - at < HeaderBytes || RandomAccess.Read(_file, header, at) < HeaderBytes)
        {
            return false;
        }

        int length = BinaryPrimitives.ReadInt32LittleEndian(header);
        long sequence = BinaryPrimitives.ReadInt64LittleEndian(header[8..]);
        if (length < 0 || length > size - at - HeaderBytes || sequence < First)
        {
            return false;
        }

        byte[] body = new byte[length];
        if (RandomAccess.Read(_file, body, at + HeaderBytes) < length || Checksum(body, sequence) != BinaryPrimitives.ReadUInt32LittleEndian(header[4..]))
        {
            return false;
        }

        record = new StoredRecord(this, sequence, at + HeaderBytes + length, body);
        return true;
    }

    // CRC-32C over number, length and body. It begins with ones, so that a stretch of zeros is no record.
    private static uint Checksum(ReadOnlySpan<byte> body, long sequence)
    {
        uint crc = BitOperations.Crc32C(BitOperations.Crc32C(uint.MaxValue, (ulong)sequence), (uint)body.Length);
        while (body.Length >= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(body));
            body = body[sizeof(ulong)..];
        }

        foreach (byte b in body)
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        return ~crc;
    }
}
