using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;

namespace IoT.Cep;

/// <summary>
/// A log of records in a folder: appended at one end and taken from the other. The place up to which they were taken stands in a file of its own; after a crash it
/// may be an older one, and what lies behind it is taken again.
/// </summary>
internal sealed class StoredLog : IDisposable
{
    /// <summary>Of so many files the log is made, so that making room costs an eighth of it.</summary>
    private const int Segments = 8;

    private const int SlotBytes = 16;

    private readonly Lock _gate = new();
    private readonly List<StoredSegment> _segments = [];
    private readonly string _folder;
    private readonly long _segmentBytes;
    private readonly bool _flush;
    private readonly FileStream _position;
    private long _next = 1;
    private long _taken;
    private long _at;
    private int _slot;

    private StoredLog(string folder, long maxBytes, bool flush)
    {
        (_folder, _segmentBytes, _flush) = (folder, maxBytes / Segments, flush);
        Directory.CreateDirectory(folder);

        // Held open by one process at a time: two would write over each other.
        _position = new FileStream(Path.Combine(folder, "position"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
    }

    /// <summary>Bytes that could not be read.</summary>
    internal long Damaged { get; private set; }

    /// <summary>How many records wait.</summary>
    internal long Count
    {
        get
        {
            lock (_gate)
            {
                return _segments.Sum(s => Math.Max(0, s.Next - Math.Max(s.First, _taken + 1)));
            }
        }
    }

    internal long Bytes
    {
        get
        {
            lock (_gate)
            {
                return _segments.Sum(s => s.Length);
            }
        }
    }

    /// <summary>How long a record may be.</summary>
    internal int MaxRecordBytes => (int)Math.Min(_segmentBytes - StoredSegment.HeaderBytes, int.MaxValue / 2);

    internal static StoredLog Open(string folder, long maxBytes, bool flush)
    {
        var log = new StoredLog(folder, maxBytes, flush);
        try
        {
            log.Recover();
            return log;
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    /// <summary>Appends records, as many as fit into one file and below a bound.</summary>
    /// <returns>How many; 0 where there is no room.</returns>
    internal int Append(ReadOnlySpan<ReadOnlyMemory<byte>> bodies, long maxBytes)
    {
        lock (_gate)
        {
            var last = _segments.Count == 0 || _segments[^1].Length + StoredSegment.HeaderBytes + bodies[0].Length > _segmentBytes ? Roll() : _segments[^1];
            long room = Math.Min(_segmentBytes - last.Length, maxBytes - Bytes);
            var frames = new ArrayBufferWriter<byte>();
            int count = 0;
            while (count < bodies.Length && frames.WrittenCount + StoredSegment.HeaderBytes + bodies[count].Length <= room)
            {
                StoredSegment.Frame(bodies[count].Span, _next + count, frames);
                count++;
            }

            if (count > 0)
            {
                last.Append(frames.WrittenSpan, count, _flush);
                _next += count;
            }

            return count;
        }
    }

    /// <summary>Reads the records that wait, the oldest first.</summary>
    internal void Read(List<StoredRecord> records, int most)
    {
        records.Clear();
        lock (_gate)
        {
            long at = _at;
            foreach (var segment in _segments)
            {
                while (records.Count < most && segment.TryRead(at, out var record))
                {
                    at = record.End;
                    if (record.Sequence > _taken)
                    {
                        records.Add(record);
                    }
                }

                at = 0;
            }
        }
    }

    /// <summary>Records up to this one were taken; files that hold no others are deleted.</summary>
    internal void Take(in StoredRecord record)
    {
        lock (_gate)
        {
            if (record.Sequence <= _taken)
            {
                return;
            }

            _taken = record.Sequence;
            _at = record.End;
            while (_segments.Count > 0 && _segments[0].Next <= _taken + 1 && (_segments.Count > 1 || _segments[0].Length >= _segmentBytes / 2))
            {
                _segments[0].Delete();
                _segments.RemoveAt(0);
                _at = _segments.Count > 0 && _segments[0] == record.Segment ? record.End : 0;
            }

            WritePosition();
        }
    }

    /// <summary>Takes the oldest file's records away, without those up to a number.</summary>
    internal List<StoredRecord> DropOldest(long except)
    {
        var dropped = new List<StoredRecord>();
        lock (_gate)
        {
            if (_segments.Count == 0)
            {
                return dropped;
            }

            var oldest = _segments[0];
            for (long at = 0; oldest.TryRead(at, out var record); at = record.End)
            {
                if (record.Sequence > Math.Max(_taken, except))
                {
                    dropped.Add(record);
                }
            }

            _taken = Math.Max(_taken, oldest.Next - 1);
            _at = 0;
            _segments.RemoveAt(0);
            oldest.Delete();
            WritePosition();
        }

        return dropped;
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _segments.ForEach(s => s.Dispose());
            _segments.Clear();
            _position.Dispose();
        }
    }

    private StoredSegment Roll()
    {
        // A file without records would have the name of its follower.
        if (_segments.Count > 0 && _segments[^1].Length == 0)
        {
            return _segments[^1];
        }

        var segment = StoredSegment.Create(_folder, _next);
        _segments.Add(segment);
        return segment;
    }

    private void Recover()
    {
        _taken = ReadPosition();
        foreach (string path in Directory.GetFiles(_folder, "*.log").Order(StringComparer.Ordinal))
        {
            if (StoredSegment.Open(path, out long damaged) is not { } segment)
            {
                continue;
            }

            Damaged += damaged;
            if (segment.Length == 0 || segment.Next <= _taken + 1)
            {
                _next = Math.Max(_next, segment.Next);
                segment.Delete();
            }
            else
            {
                _segments.Add(segment);
            }
        }

        // Behind a file whose end a crash cut off, numbers go on where they would have been.
        _next = Math.Max(_next, Math.Max(_taken + 1, _segments.Count == 0 ? 1 : _segments[^1].Next));
        if (_segments.Count > 0 && _segments[^1].Next != _next)
        {
            _segments.Add(StoredSegment.Create(_folder, _next));
        }
    }

    /// <summary>Two places that are written in turn: a crash in the middle of the one leaves the other.</summary>
    private long ReadPosition()
    {
        Span<byte> slots = stackalloc byte[2 * SlotBytes];
        int read = _position.ReadAtLeast(slots, slots.Length, throwOnEndOfStream: false);
        long position = 0;
        for (int i = 0; (i + 1) * SlotBytes <= read; i++)
        {
            long value = BinaryPrimitives.ReadInt64LittleEndian(slots[(i * SlotBytes)..]);
            ulong check = BinaryPrimitives.ReadUInt64LittleEndian(slots[((i * SlotBytes) + 8)..]);
            if (check == BitOperations.Crc32C(uint.MaxValue, (ulong)value) && value > position)
            {
                (position, _slot) = (value, i + 1);
            }
        }

        return position;
    }

    private void WritePosition()
    {
        Span<byte> slot = stackalloc byte[SlotBytes];
        BinaryPrimitives.WriteInt64LittleEndian(slot, _taken);
        BinaryPrimitives.WriteUInt64LittleEndian(slot[8..], BitOperations.Crc32C(uint.MaxValue, (ulong)_taken));
        RandomAccess.Write(_position.SafeFileHandle, slot, (_slot++ & 1) * SlotBytes);
    }
}
