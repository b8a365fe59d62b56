using System.Buffers;
using System.Text;
using MQTTnet;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace IoT.Cep;

/// <summary>What a record of the broker's log says. The numbers stand in files.</summary>
internal enum BrokerRecord : byte
{
    Session = 1,
    End = 2,
    Subscription = 3,
    Unsubscription = 4,
    Queued = 5,
    Acknowledgement = 6,
    Retained = 7,
    Removal = 8,
}

/// <summary>Writes and reads the records of the broker's log: a kind, a name (client id, or topic), and what belongs to it.</summary>
internal static class BrokerRecords
{
    internal static byte[] Session(string clientId, string owner, uint expirySeconds, bool isV5) => Write(BrokerRecord.Session, clientId, w =>
    {
        w.Write(owner);
        w.Write(expirySeconds);
        w.Write(isV5);
    });

    internal static byte[] End(string clientId) => Write(BrokerRecord.End, clientId, static _ => { });

    internal static byte[] Subscription(string clientId, MqttTopicFilter filter, uint identifier) => Write(BrokerRecord.Subscription, clientId, w =>
    {
        w.Write(filter.Topic);
        w.Write((byte)filter.QualityOfServiceLevel);
        w.Write(filter.NoLocal);
        w.Write(filter.RetainAsPublished);
        w.Write(identifier);
    });

    internal static byte[] Unsubscription(string clientId, string filter) => Write(BrokerRecord.Unsubscription, clientId, w => w.Write(filter));

    internal static byte[] Queued(string clientId, long id, MqttApplicationMessage message, MqttQualityOfServiceLevel qualityOfService) => Write(BrokerRecord.Queued, clientId, w =>
    {
        w.Write(id);
        w.Write(message.Topic);
        WriteMessage(w, message, qualityOfService);
    });

    internal static byte[] Acknowledgement(string clientId, long id) => Write(BrokerRecord.Acknowledgement, clientId, w => w.Write(id));

    internal static byte[] Retained(MqttApplicationMessage message) =>
        Write(BrokerRecord.Retained, message.Topic, w => WriteMessage(w, message, message.QualityOfServiceLevel));

    internal static byte[] Removal(string topic) => Write(BrokerRecord.Removal, topic, static _ => { });

    internal static BinaryReader Open(byte[] record, out BrokerRecord kind)
    {
        var reader = new BinaryReader(new MemoryStream(record, writable: false));
        kind = (BrokerRecord)reader.ReadByte();
        return reader;
    }

    internal static (MqttTopicFilter Filter, uint Identifier) ReadSubscription(byte[] record)
    {
        using var reader = Open(record, out _);
        reader.ReadString();
        var filter = new MqttTopicFilter
        {
            Topic = reader.ReadString(),
            QualityOfServiceLevel = (MqttQualityOfServiceLevel)reader.ReadByte(),
            NoLocal = reader.ReadBoolean(),
            RetainAsPublished = reader.ReadBoolean(),
            RetainHandling = MqttRetainHandling.DoNotSendOnSubscribe,
        };
        return (filter, reader.ReadUInt32());
    }

    internal static MqttApplicationMessage ReadQueued(byte[] record)
    {
        using var reader = Open(record, out _);
        reader.ReadString();
        reader.ReadInt64();
        return ReadMessage(reader, reader.ReadString());
    }

    internal static MqttApplicationMessage ReadRetained(byte[] record)
    {
        using var reader = Open(record, out _);
        var message = ReadMessage(reader, reader.ReadString());
        message.Retain = true;
        return message;
    }

    private static byte[] Write(BrokerRecord kind, string name, Action<BinaryWriter> rest)
    {
        using var bytes = new MemoryStream();
        using (var writer = new BinaryWriter(bytes, Encoding.UTF8, leaveOpen: true))
        {
            writer.Write((byte)kind);
            writer.Write(name);
            rest(writer);
        }

        return bytes.ToArray();
    }

    private static void WriteMessage(BinaryWriter writer, MqttApplicationMessage message, MqttQualityOfServiceLevel qualityOfService)
    {
        writer.Write((byte)qualityOfService);
        writer.Write((byte)message.PayloadFormatIndicator);
        writer.Write(message.MessageExpiryInterval);
        writer.Write(message.ContentType ?? "");
        writer.Write(message.ResponseTopic ?? "");
        WriteBytes(writer, message.CorrelationData ?? []);
        writer.Write7BitEncodedInt(message.UserProperties?.Count ?? 0);
        foreach (var property in message.UserProperties ?? [])
        {
            writer.Write(property.Name);
            writer.Write(MqttHeaders.ValueOf(property));
        }

        writer.Write7BitEncodedInt((int)message.Payload.Length);
        foreach (var part in message.Payload)
        {
            writer.Write(part.Span);
        }
    }

    private static MqttApplicationMessage ReadMessage(BinaryReader reader, string topic)
    {
        var message = new MqttApplicationMessage
        {
            Topic = topic,
            QualityOfServiceLevel = (MqttQualityOfServiceLevel)reader.ReadByte(),
            PayloadFormatIndicator = (MqttPayloadFormatIndicator)reader.ReadByte(),
            MessageExpiryInterval = reader.ReadUInt32(),
            ContentType = Text(reader.ReadString()),
            ResponseTopic = Text(reader.ReadString()),
            CorrelationData = ReadBytes(reader) is { Length: > 0 } correlation ? correlation : null,
        };
        for (int count = reader.Read7BitEncodedInt(); count > 0; count--)
        {
            (message.UserProperties ??= []).Add(MqttHeaders.ToProperty(reader.ReadString(), reader.ReadString()));
        }

        message.Payload = new ReadOnlySequence<byte>(ReadBytes(reader));
        return message;

        static string? Text(string text) => text.Length == 0 ? null : text;
    }

    private static void WriteBytes(BinaryWriter writer, byte[] bytes)
    {
        writer.Write7BitEncodedInt(bytes.Length);
        writer.Write(bytes);
    }

    private static byte[] ReadBytes(BinaryReader reader) => reader.ReadBytes(reader.Read7BitEncodedInt());
}
