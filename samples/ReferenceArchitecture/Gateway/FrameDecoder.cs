using System.Buffers;

using IoT.Cep;
using IoT.Cep.Extensibility;

namespace IoT.Reference.Gateway;

/// <summary>A frame's bytes, of a datagram or a line, as a message for the bus.</summary>
internal sealed class FrameDecoder(GatewayOptions options) : Decoder<Message>
{
    public override void Decode(in Payload payload, EventBuffer<Message> output)
    {
        if (payload.Bytes.Length > Frame.MaxBytes)
        {
            output.Reject(DeadLetterReason.TooLarge, $"The frame has {payload.Bytes.Length} bytes; the limit is {Frame.MaxBytes}.");
        }
        else if (Frame.Read(payload.Bytes.ToArray(), options, Ticks.ToTime(output.ReceivedTicks), out string problem) is { } message)
        {
            output.Add(message);
        }
        else
        {
            output.Reject(DeadLetterReason.Malformed, problem);
        }
    }
}
