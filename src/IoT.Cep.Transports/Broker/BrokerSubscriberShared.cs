using MQTTnet;
using MQTTnet.Protocol;

namespace IoT.Cep;

// Messages that this session got as one of a group, until it has acknowledged them: at its end they are another's.
internal sealed partial class BrokerSubscriber
{
    // By the topic's text, by reference. As many as wait for the subscriber at the most.
    private readonly Dictionary<string, (long Number, MqttApplicationMessage Message, SharedGroup Group)> _shared = new(ReferenceEqualityComparer.Instance);
    private long _sharedNumber;

    internal void Enqueue(MqttApplicationMessage message) => session.TryEnqueueApplicationMessage(message, out _);

    internal void Shared(MqttApplicationMessage message, SharedGroup group)
    {
        lock (_gate)
        {
            _shared[message.Topic] = (++_sharedNumber, message, group);
        }
    }

    /// <summary>What another member is to get, in the order in which it came.</summary>
    internal List<(MqttApplicationMessage Message, SharedGroup Group)> TakeShared()
    {
        lock (_gate)
        {
            var begun = new HashSet<object>(
                _unacknowledged.Keys.Where(static p => p.QualityOfServiceLevel == MqttQualityOfServiceLevel.ExactlyOnce).Select(static p => p.Topic), ReferenceEqualityComparer.Instance);
            List<(MqttApplicationMessage, SharedGroup)> rest =
                [.. _shared.Values.Where(s => !begun.Contains(s.Message.Topic)).OrderBy(static s => s.Number).Select(static s => (s.Message, s.Group))];
            _shared.Clear();
            return rest;
        }
    }
}
