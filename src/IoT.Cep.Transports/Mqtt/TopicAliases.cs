using MQTTnet;

namespace IoT.Cep;

/// <summary>Numbers for the topics that a connection publishes to (MQTT 5, 3.3.2.3.4): the first so many get one, and each is sent whole once. Messages must leave in the order in which they pass here.</summary>
internal sealed class TopicAliases
{
    /// <summary>Below this a number, with its property, is hardly shorter than the topic.</summary>
    private const int MinTopicChars = 6;

    private readonly Dictionary<string, ushort> _numbers = new(StringComparer.Ordinal);
    private int _most;

    /// <summary>A new connection: the broker knows none.</summary>
    /// <param name="most">How many it takes.</param>
    internal void Clear(int most)
    {
        _numbers.Clear();
        _most = most;
    }

    /// <summary>The message as it is to be sent. The given one stays as it is, for another attempt.</summary>
    /// <param name="message">The message.</param>
    internal MqttApplicationMessage Shorten(MqttApplicationMessage message)
    {
        if (_most == 0 || message.Topic.Length < MinTopicChars)
        {
            return message;
        }

        bool isKnown = _numbers.TryGetValue(message.Topic, out ushort number);
        if (!isKnown)
        {
            if (_numbers.Count == _most)
            {
                return message;
            }

            _numbers[message.Topic] = number = (ushort)(_numbers.Count + 1);
        }

        return new MqttApplicationMessage
        {
            Topic = isKnown ? "" : message.Topic,
            TopicAlias = number,
            Payload = message.Payload,
            QualityOfServiceLevel = message.QualityOfServiceLevel,
            Retain = message.Retain,
            ContentType = message.ContentType,
            MessageExpiryInterval = message.MessageExpiryInterval,
            UserProperties = message.UserProperties,
        };
    }
}
