using System.Buffers;
using System.Text;

namespace IoT.Cep;

/// <summary>Reads a stream of events (WHATWG HTML, "server-sent events"), line by line. What an event gathers is bounded.</summary>
/// <param name="maxBytes">The most bytes of one event's data, id or name.</param>
internal sealed class ServerEvents(int maxBytes)
{
    private readonly ArrayBufferWriter<byte> _data = new();
    private string _id = "";
    private bool _hasData;

    /// <summary>The last event's id; what a new connection begins behind.</summary>
    internal string LastId { get; private set; } = "";

    /// <summary>The event's name; "" where it has none.</summary>
    internal string Name { get; private set; } = "";

    /// <summary>How long the server wants to be left alone after a lost connection; null where it does not say.</summary>
    internal TimeSpan? Retry { get; private set; }

    internal ReadOnlyMemory<byte> Data => _data.WrittenMemory;

    /// <summary>Whether the event was longer than it may be; its data are cut then.</summary>
    internal bool IsTooLarge { get; private set; }

    /// <summary>Forgets what is half read: a new connection begins.</summary>
    internal void Begin()
    {
        _data.ResetWrittenCount();
        (Name, _id, _hasData, IsTooLarge) = ("", LastId, false, false);
    }

    /// <summary>Takes a line; true where it ends an event, which is there until the next line is taken and <see cref="Begin"/> is called.</summary>
    internal bool Take(ReadOnlySpan<byte> line)
    {
        if (line.IsEmpty)
        {
            // Only now: an event that was cut off behind its id must come again.
            LastId = _id;
            if (!_hasData)
            {
                Name = "";
            }

            return _hasData;
        }

        int colon = line.IndexOf((byte)':');
        var field = colon < 0 ? line : line[..colon];
        var value = colon < 0 ? default : line[(colon + 1)..];
        value = value.StartsWith(" "u8) ? value[1..] : value;
        if (field.SequenceEqual("data"u8))
        {
            Append(value);
        }
        else if (field.SequenceEqual("event"u8))
        {
            Name = Encoding.UTF8.GetString(value[..Math.Min(value.Length, maxBytes)]);
        }
        else if (field.SequenceEqual("id"u8) && !value.Contains((byte)0) && value.Length <= maxBytes)
        {
            _id = Encoding.UTF8.GetString(value);
        }
        else if (field.SequenceEqual("retry"u8) && long.TryParse(value, System.Globalization.NumberStyles.None, null, out long milliseconds))
        {
            Retry = TimeSpan.FromMilliseconds(Math.Min(milliseconds, 3_600_000));
        }

        return false;
    }

    private void Append(ReadOnlySpan<byte> value)
    {
        if (_data.WrittenCount + value.Length + 1 > maxBytes)
        {
            IsTooLarge = true;
        }
        else
        {
            _data.Write(_hasData ? "\n"u8 : default);
            _data.Write(value);
        }

        _hasData = true;
    }
}
