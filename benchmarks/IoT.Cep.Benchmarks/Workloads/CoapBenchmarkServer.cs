using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace IoT.Cep.Benchmarks.Workloads;

/// <summary>
/// A process of its own that takes what devices PUT over UDP: by the library's CoAP server and a query that counts, or by a bare socket with the same codec that answers at once and keeps nothing. Says
/// what each message cost.
/// </summary>
internal static class CoapBenchmarkServer
{
    internal const string Command = "coap-server";

    internal static async Task<int> RunAsync(string[] args)
    {
        var meter = new MqttConsumer.Meter(int.Parse(args[1], CultureInfo.InvariantCulture), int.Parse(args[2], CultureInfo.InvariantCulture));
        if (args[0] == "bare")
        {
            await AnswerAsync(meter);
            return 0;
        }

        // The port is wanted before the engine tells it.
        int port;
        using (var probe = new Socket(SocketType.Dgram, ProtocolType.Udp))
        {
            probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            port = ((IPEndPoint)probe.LocalEndPoint!).Port;
        }

        await using var engine = new CepEngine(cep =>
        {
            cep.CoapListener(o => o.Port = port);
            cep.From(Coap.Listen("load/{device}", new MqttConsumer.LengthDecoder())).To(new MqttConsumer.CountingSink(meter));
        });
        await engine.StartAsync();
        while (!engine.Sources[0].IsConnected)
        {
            await Task.Delay(10);
        }

        Console.WriteLine($"ready {port}");
        await meter.Done;

        // The last answers are on their way.
        await Task.Delay(200);
        return 0;
    }

    private static async Task AnswerAsync(MqttConsumer.Meter meter)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 1 << 20 };
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Console.WriteLine($"ready {((IPEndPoint)socket.LocalEndPoint!).Port}");
        byte[] request = new byte[65_535];
        byte[] answer = new byte[64];
        var from = new SocketAddress(AddressFamily.InterNetwork);
        ushort id = 0;
        while (!meter.Done.IsCompleted)
        {
            int length = await socket.ReceiveFromAsync(request, SocketFlags.None, from);
            int answered = Answer(request.AsSpan(0, length), answer, ref id);
            socket.SendTo(answer.AsSpan(0, answered), SocketFlags.None, from);
            meter.Add(1);
        }
    }

    private static int Answer(ReadOnlySpan<byte> request, Span<byte> answer, ref ushort id)
    {
        if (CoapDatagram.Parse(request, out var message) != CoapFormatError.None)
        {
            throw new InvalidOperationException("The load is not what it should be.");
        }

        bool isConfirmable = message.Type == CoapType.Confirmable;
        return CoapDatagram.Write(
            answer, isConfirmable ? CoapType.Acknowledgement : CoapType.NonConfirmable, CoapCode.Changed, isConfirmable ? message.MessageId : id++, message.Token, default, default);
    }
}
