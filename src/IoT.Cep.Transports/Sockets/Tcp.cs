using System.Buffers;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Lines and frames over TCP, as a listener or a client: <c>cep.From(Tcp.Lines(9000, decoder))</c>. Nothing is acknowledged: what is on its way when a
/// connection is lost is lost.
/// </summary>
public static class Tcp
{
    /// <summary>Listens, and takes each line of a connection as a message.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="port">The port; 0 takes any that is free (<see cref="TcpListenOptions.Listening"/> tells which).</param>
    /// <param name="decoder">Turns lines into events.</param>
    /// <param name="options">Address, limits, security; those of a new <see cref="TcpListenOptions"/> where null.</param>
    public static ISource<T> Lines<T>(int port, Decoder<T> decoder, TcpListenOptions? options = null) =>
        Source.FromTransport(new TcpListenTransport(StreamFraming.Lines, port, TcpListenOptions.Check(options, port)), decoder);

    /// <summary>Listens, and takes frames with their length in front as messages.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="port">The port; 0 takes any that is free (<see cref="TcpListenOptions.Listening"/> tells which).</param>
    /// <param name="prefix">How the length stands there.</param>
    /// <param name="decoder">Turns frames into events.</param>
    /// <param name="options">Address, limits, security; those of a new <see cref="TcpListenOptions"/> where null.</param>
    public static ISource<T> Frames<T>(int port, FramePrefix prefix, Decoder<T> decoder, TcpListenOptions? options = null) =>
        Source.FromTransport(new TcpListenTransport(StreamFraming.Frames(prefix), port, TcpListenOptions.Check(options, port)), decoder);

    /// <summary>Connects to a server that sends lines: a gateway, a GPS receiver, a serial-to-network converter.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="host">The server's name or address.</param>
    /// <param name="port">Its port.</param>
    /// <param name="decoder">Turns lines into events.</param>
    /// <param name="options">Limits, reconnecting, TLS; those of a new <see cref="TcpConnectOptions"/> where null.</param>
    public static ISource<T> LinesFrom<T>(string host, int port, Decoder<T> decoder, TcpConnectOptions? options = null) =>
        Source.FromTransport(new TcpConnectTransport(StreamFraming.Lines, host, port, TcpConnectOptions.Check(options, host, port)), decoder);

    /// <summary>Connects to a server that sends frames with their length in front.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="host">The server's name or address.</param>
    /// <param name="port">Its port.</param>
    /// <param name="prefix">How the length stands there.</param>
    /// <param name="decoder">Turns frames into events.</param>
    /// <param name="options">Limits, reconnecting, TLS; those of a new <see cref="TcpConnectOptions"/> where null.</param>
    public static ISource<T> FramesFrom<T>(string host, int port, FramePrefix prefix, Decoder<T> decoder, TcpConnectOptions? options = null) =>
        Source.FromTransport(new TcpConnectTransport(StreamFraming.Frames(prefix), host, port, TcpConnectOptions.Check(options, host, port)), decoder);

    /// <summary>Connects to a server and sends each result as a line. One that has a line end is a dead letter.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="host">The server's name or address.</param>
    /// <param name="port">Its port.</param>
    /// <param name="line">Gives the text.</param>
    /// <param name="options">Limits and TLS; those of a new <see cref="TcpConnectOptions"/> where null.</param>
    public static ISink<T> SendLines<T>(string host, int port, Func<T, string> line, TcpConnectOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(line);
        return new TcpSink<T>(StreamFraming.Lines, host, port, (result, output) => Encoding.UTF8.GetBytes(line(result), output), TcpConnectOptions.Check(options, host, port));
    }

    /// <summary>Connects to a server and sends each result as a frame with its length in front.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="host">The server's name or address.</param>
    /// <param name="port">Its port.</param>
    /// <param name="prefix">How the length stands there.</param>
    /// <param name="encode">Writes the message.</param>
    /// <param name="options">Limits and TLS; those of a new <see cref="TcpConnectOptions"/> where null.</param>
    public static ISink<T> SendFrames<T>(string host, int port, FramePrefix prefix, Action<T, IBufferWriter<byte>> encode, TcpConnectOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(encode);
        return new TcpSink<T>(StreamFraming.Frames(prefix), host, port, encode, TcpConnectOptions.Check(options, host, port));
    }
}
