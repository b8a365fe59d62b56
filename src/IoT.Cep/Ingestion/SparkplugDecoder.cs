using System.Text.Unicode;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Reads Sparkplug B payloads with what is known of their nodes.</summary>
internal sealed class SparkplugDecoder<T>(SparkplugMapping<T> mapping, SparkplugOptions options, PayloadLimits limits) : Decoder<T>, IReplying
{
    private const int Metrics = 2, Timestamp = 1, Sequence = 3;
    private const string BirthSequence = "bdSeq";

    private readonly PayloadBuffer _buffer = new(limits);
    private readonly SparkplugNodes _nodes = new(options);
    private readonly List<SparkplugEntry> _entries = [];
    private byte[] _utf8 = [];

    public Action<string, ReadOnlyMemory<byte>>? Reply { get; set; }

    internal int KnownNodes => _nodes.Count;

    public override void Decode(in Payload payload, EventBuffer<T> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        if (!TryTopic(payload.Topic, output.Strings, out var node, out string type, out string? device))
        {
            output.Reject(DeadLetterReason.UnknownTopic, "The topic is none of Sparkplug B: spBv1.0/{group}/{type}/{node}/{device}.");
            return;
        }

        if (type is "NCMD" or "DCMD" or "STATE" || !_buffer.TryJoin(in payload, output, out var bytes))
        {
            return;
        }

        if (!mapping.TryBegin(in payload, output))
        {
            return;
        }

        var fault = default(DecodeFault);
        if (!TryRead(bytes, output, ref fault, out long ticks, out int sequence))
        {
            fault.Reject(output);
            return;
        }

        var state = _nodes.Touch(node, output.ReceivedTicks);
        ticks = ticks == 0 ? output.ReceivedTicks : ticks;
        switch (type)
        {
            case "NBIRTH":
                Birth(state, null, ticks, sequence, output);
                break;
            case "DBIRTH" when device is not null:
                Birth(state, device, ticks, sequence, output);
                break;
            case "NDATA":
                Data(state, null, ticks, sequence, output);
                break;
            case "DDATA" when device is not null:
                Data(state, device, ticks, sequence, output);
                break;
            case "NDEATH":
                NodeDeath(state, output);
                break;
            case "DDEATH" when device is not null:
                Follow(state, sequence, output.ReceivedTicks);
                Death(state, device, all: false, output);
                state.ForgetDevice(device);
                break;
            default:
                output.Reject(DeadLetterReason.UnknownTopic, "The topic names no device.");
                break;
        }

        _entries.Clear();
    }

    private void Birth(SparkplugNodeState state, string? device, long ticks, int sequence, EventBuffer<T> output)
    {
        if (device is null)
        {
            state.Forget();
            state.IsBorn = true;
            state.RebirthAskedTicks = 0;
            state.NextSequence = sequence;
            state.BirthSequence = BirthSequenceOf();
        }
        else if (!state.IsBorn)
        {
            AskForRebirth(state, output.ReceivedTicks);
            output.Reject(DeadLetterReason.MissingField, "A device was born whose node was not.");
            return;
        }

        Follow(state, sequence, output.ReceivedTicks);
        if (state.Count >= options.MaxMetrics)
        {
            output.Reject(DeadLetterReason.TooLarge, "The node has more devices than the limit of metrics.");
            return;
        }

        state.Begin(device);
        var source = state.SourceOf(device);
        foreach (ref var entry in System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_entries))
        {
            if (!entry.HasName || state.Count >= options.MaxMetrics)
            {
                output.Reject(
                    entry.HasName ? DeadLetterReason.TooLarge : DeadLetterReason.MissingField,
                    entry.HasName ? "The node has more metrics than the limit." : "A birth names each of its metrics.");
                state.ForgetDevice(device ?? "");
                return;
            }

            state.Add(device, in entry);
            SparkplugValues.Resolve(ref entry);
        }

        mapping.Tell(source, SparkplugKind.Birth, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_entries), ticks, output);
    }

    private void Data(SparkplugNodeState state, string? device, long ticks, int sequence, EventBuffer<T> output)
    {
        Follow(state, sequence, output.ReceivedTicks);
        var source = state.SourceOf(device);
        bool isBorn = state.IsBorn && state.HasDevice(device);
        if (!isBorn)
        {
            AskForRebirth(state, output.ReceivedTicks);
        }

        foreach (ref var entry in System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_entries))
        {
            if (!state.TryResolve(device, ref entry))
            {
                AskForRebirth(state, output.ReceivedTicks);
                output.Reject(DeadLetterReason.MissingField, "A metric is named by an alias that no birth told.");
                return;
            }

            SparkplugValues.Resolve(ref entry);
        }

        mapping.Tell(source, SparkplugKind.Data, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_entries), ticks, output);
    }

    // A death that belongs to an earlier birth comes late, when the node is connected again: the specification says to pass it over.
    private void NodeDeath(SparkplugNodeState state, EventBuffer<T> output)
    {
        if (BirthSequenceOf() is { } dead && state.BirthSequence is { } born && dead != born)
        {
            return;
        }

        Death(state, null, all: true, output);
        state.Forget();
    }

    private void Death(SparkplugNodeState state, string? device, bool all, EventBuffer<T> output)
    {
        foreach (var (owner, metrics) in state.Born(device, all))
        {
            mapping.Gone(state.SourceOf(owner), metrics, output);
            if (output.Rejection is not null)
            {
                return;
            }
        }
    }

    private void Follow(SparkplugNodeState state, int sequence, long now)
    {
        if (!state.IsBorn || sequence < 0)
        {
            return;
        }

        if (sequence != state.NextSequence && state.NextSequence >= 0)
        {
            AskForRebirth(state, now);
        }

        state.NextSequence = (sequence + 1) & 255;
    }

    // Whoever was asked and did not hear it, or may not be reached, is asked again after a while and not with each message.
    private void AskForRebirth(SparkplugNodeState state, long now)
    {
        if (state.RebirthAskedTicks != 0 && now - state.RebirthAskedTicks < options.RebirthEvery.Ticks)
        {
            return;
        }

        state.RebirthAskedTicks = now;
        options.RebirthNeeded?.Invoke(state.Node);
        if (options.SendsRebirth)
        {
            Reply?.Invoke(SparkplugRebirth.TopicOf(state.Node), SparkplugRebirth.PayloadAt(now));
        }
    }

    private ulong? BirthSequenceOf()
    {
        foreach (var entry in _entries)
        {
            if (entry.HasName && entry.Name == BirthSequence)
            {
                return entry.Bits;
            }
        }

        return null;
    }

    private bool TryRead(ReadOnlySpan<byte> bytes, EventBuffer<T> output, ref DecodeFault fault, out long ticks, out int sequence)
    {
        _entries.Clear();
        (ticks, sequence) = (0, -1);
        var wire = new ProtobufScanner(bytes);
        while (!wire.IsEnd && wire.TryTag(out int number, out var type))
        {
            switch (number)
            {
                case Timestamp when type == WireType.Varint:
                    ReadTime(ref wire, out ticks);
                    break;
                case Sequence when type == WireType.Varint:
                    if (wire.TryVarint(out ulong value) && value > 255)
                    {
                        wire.Fault.Set(DeadLetterReason.OutOfRange, "a sequence number is past 255", wire.Position, "seq");
                    }

                    sequence = (int)(value & 255);
                    break;
                case Metrics when type == WireType.Bytes:
                    if (_entries.Count == limits.MaxEvents)
                    {
                        wire.Fault.Set(DeadLetterReason.TooLarge, "the payload holds more metrics than the limit", wire.Position);
                    }
                    else if (wire.TryBytes(out var metric))
                    {
                        ReadMetric(metric, ref wire, output.Strings);
                    }

                    break;
                default:
                    wire.TrySkip(type);
                    break;
            }

            if (!wire.Fault.Ok)
            {
                break;
            }
        }

        fault = wire.Fault;
        return fault.Ok;
    }

    private void ReadMetric(ReadOnlySpan<byte> bytes, ref ProtobufScanner outer, StringPool strings)
    {
        SparkplugEntry entry = new() { Number = double.NaN, Name = "", Text = "" };
        var wire = new ProtobufScanner(bytes, outer.Position - bytes.Length);
        while (wire.Fault.Ok && !wire.IsEnd && wire.TryTag(out int number, out var type))
        {
            SparkplugValues.ReadField(ref wire, number, type, ref entry, strings, limits);
        }

        outer.Fault = wire.Fault;
        _entries.Add(entry);
    }

    private static void ReadTime(ref ProtobufScanner wire, out long ticks)
    {
        ticks = 0;
        if (wire.TryVarint(out ulong milliseconds) && BinaryTimes.FromUnits((long)Math.Min(milliseconds, long.MaxValue), 1_000_000, out ticks) != TimeResult.Ok)
        {
            wire.Fault.Set(DeadLetterReason.OutOfRange, "the time is out of range", wire.Position, "timestamp");
        }
    }

    private bool TryTopic(string topic, StringPool strings, out SparkplugNode node, out string type, out string? device)
    {
        (node, type, device) = (default, "", null);
        Span<Range> levels = stackalloc Range[6];
        var text = topic.AsSpan();
        int count = text.Split(levels, '/');
        if (count < 3 || text[levels[0]] is not "spBv1.0")
        {
            return false;
        }

        type = text[levels[1]] is "STATE" ? "STATE" : TypeOf(text[levels[2]]);
        if (type is "STATE" or "")
        {
            return type == "STATE";
        }

        if (count is not (4 or 5) || text[levels[1]].IsEmpty || text[levels[3]].IsEmpty || (count == 5 && text[levels[4]].IsEmpty))
        {
            return false;
        }

        node = new SparkplugNode(Pooled(text[levels[1]], strings), Pooled(text[levels[3]], strings));
        device = count == 5 ? Pooled(text[levels[4]], strings) : null;
        return true;
    }

    private static string TypeOf(ReadOnlySpan<char> type) => type switch
    {
        "NBIRTH" => "NBIRTH",
        "NDATA" => "NDATA",
        "NDEATH" => "NDEATH",
        "DBIRTH" => "DBIRTH",
        "DDATA" => "DDATA",
        "DDEATH" => "DDEATH",
        "NCMD" => "NCMD",
        "DCMD" => "DCMD",
        _ => "",
    };

    private string Pooled(ReadOnlySpan<char> text, StringPool strings)
    {
        if (_utf8.Length < 3 * text.Length)
        {
            _utf8 = new byte[Math.Max(256, 3 * text.Length)];
        }

        Utf8.FromUtf16(text, _utf8, out _, out int length);
        return strings.Get(_utf8.AsSpan(0, length));
    }
}
