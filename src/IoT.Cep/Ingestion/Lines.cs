using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Sources whose messages are lines of text.</summary>
public static class Lines
{
    /// <summary>
    /// A file, one message a line: <c>Lines.FromFile("machine.csv", Csv.Decode&lt;Reading&gt;(["timestamp", "value"]), new(SkipLines: 1))</c>. The
    /// source ends with the file. It is read as it is needed, so the file may be larger than memory.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="path">The file. It is opened when the query starts; that throws where it isn't there.</param>
    /// <param name="decoder">Decodes each line.</param>
    /// <param name="options">Limits, and lines to pass over; <see cref="LineOptions.Default"/> where null.</param>
    public static ISource<T> FromFile<T>(string path, Decoder<T> decoder, LineOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(decoder);
        if (options?.ReconnectDelay is not null)
        {
            throw new ArgumentException("A file ends; leave out the ReconnectDelay.", nameof(options));
        }

        var transport = new LineTransport("file " + Path.GetFileName(path), _ => new ValueTask<Stream>(Open(path)), options);
        return new FileSource<T>(transport, decoder);
    }

    private static FileStream Open(string path) => new(path, new FileStreamOptions
    {
        Access = FileAccess.Read,
        Mode = FileMode.Open,
        Share = FileShare.ReadWrite,
        Options = FileOptions.SequentialScan,

        // The pipe has its own buffer.
        BufferSize = 0,
    });

    private sealed class FileSource<T>(LineTransport transport, Decoder<T> decoder) : ISource<T>
    {
        public string Name => transport.Name;

        public bool IsBounded => true;

        public Task RunAsync(SourceWriter<T> writer, ConnectionContext context, CancellationToken stop) =>
            transport.RunAsync(writer.Decode(decoder), context, stop);
    }
}
