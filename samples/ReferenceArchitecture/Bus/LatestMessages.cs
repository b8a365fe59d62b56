using System.Collections.Concurrent;

using IoT.Cep;

namespace IoT.Reference.Bus;

/// <summary>The latest message of each topic, for those who ask by HTTP. An empty message takes its topic away; beyond <see cref="MaxTopics"/> new topics are not kept.</summary>
internal sealed class LatestMessages
{
    public const int MaxTopics = 100_000;

    private readonly ConcurrentDictionary<string, byte[]> _bodies = new(StringComparer.Ordinal);

    public byte[]? Find(string topic) => _bodies.GetValueOrDefault(topic);

    public void Set(Message message)
    {
        if (message.Body.IsEmpty)
        {
            _bodies.TryRemove(message.Topic, out _);
        }
        else if (_bodies.Count < MaxTopics || _bodies.ContainsKey(message.Topic))
        {
            _bodies[message.Topic] = message.Body.ToArray();
        }
    }
}
