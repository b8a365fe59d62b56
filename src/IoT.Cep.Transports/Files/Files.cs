using System.Buffers;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Files of lines: followed as they grow, replayed at the pace at which they were recorded, or written. <see cref="Lines.FromFile"/> reads one to its end.</summary>
public static class Files
{
    /// <summary>Follows a file that another program writes, as <c>tail -F</c> does: through rotation and truncation; a line counts when its end is there.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="path">The file; it may not be there yet.</param>
    /// <param name="decoder">Decodes each line.</param>
    /// <param name="options">Position, limits; those of a new <see cref="TailOptions"/> where null.</param>
    public static ISource<T> Tail<T>(string path, Decoder<T> decoder, TailOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return Source.FromTransport(new TailTransport(path, TailOptions.Check(options)), decoder);
    }

    /// <summary>Replays a recorded file: an event leaves when as much time has passed since the first one as between their times, divided by the speed.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="path">The file; the source ends with it.</param>
    /// <param name="decoder">Decodes each line.</param>
    /// <param name="time">The event's time.</param>
    /// <param name="speed">How many times faster than it was recorded. To read as fast as queries take it, use <see cref="Lines.FromFile"/>.</param>
    /// <param name="options">Limits, and lines to pass over; <see cref="LineOptions.Default"/> where null.</param>
    public static ISource<T> Replay<T>(string path, Decoder<T> decoder, Func<T, DateTimeOffset> time, double speed = 1, LineOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(decoder);
        ArgumentNullException.ThrowIfNull(time);
        if (!(speed > 0 && double.IsFinite(speed)))
        {
            throw new ArgumentOutOfRangeException(nameof(speed), speed, "The speed is a number above 0.");
        }

        if (options?.ReconnectDelay is not null)
        {
            throw new ArgumentException("A file ends; leave out the ReconnectDelay.", nameof(options));
        }

        return new ReplaySource<T>(path, decoder, time, speed, options ?? LineOptions.Default);
    }

    /// <summary>Appends each result to a file as a line of text; a full file gets a number, and a new one begins. A result with a line end is a dead letter.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="path">The file; its folder must exist.</param>
    /// <param name="line">Gives the text.</param>
    /// <param name="options">Rotation and flushing; those of a new <see cref="FileSinkOptions"/> where null.</param>
    public static ISink<T> Write<T>(string path, Func<T, string> line, FileSinkOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(line);
        return Write<T>(path, (result, output) => Encoding.UTF8.GetBytes(line(result), output), options);
    }

    /// <summary>Appends each result to a file as a line of bytes.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="path">The file; its folder must exist.</param>
    /// <param name="encode">Writes the line, without its end.</param>
    /// <param name="options">Rotation and flushing; those of a new <see cref="FileSinkOptions"/> where null.</param>
    public static ISink<T> Write<T>(string path, Action<T, IBufferWriter<byte>> encode, FileSinkOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(encode);
        return new FileSink<T>(path, encode, FileSinkOptions.Check(options));
    }
}
