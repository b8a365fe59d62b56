using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Tells the lives of a key apart where keys give way to others: one that comes back within a window gives a second result of it, and that must not have
/// the identity of the first. A life's ordinal is how often keys had given way when it began. Two lives of a key have such a time between them, and
/// nothing has to be remembered of keys that went.
/// </summary>
internal sealed class KeyLives(bool areSeveral)
{
    private int[] _spare = [];

    // State that checkpoints save.
    private int[] _ordinals = [];
    private int _evictions;

    /// <summary>The ordinal in the identity of a key's results; 0 where no key gives way.</summary>
    internal int OrdinalOf(int number) => areSeveral ? _ordinals[number] : 0;

    internal void Begin(int number)
    {
        if (areSeveral)
        {
            _ordinals[number] = _evictions;
        }
    }

    /// <summary>Keys are about to give way. It begins at 0 again after two billion times: no window is open so long.</summary>
    internal void Evict() => _evictions = (_evictions + 1) & int.MaxValue;

    internal void Resize(int capacity) => Array.Resize(ref _ordinals, areSeveral ? capacity : 0);

    internal void Sort(ReadOnlySpan<int> order, int capacity)
    {
        if (!areSeveral)
        {
            return;
        }

        int[] sorted = _spare.Length == capacity ? _spare : new int[capacity];
        for (int i = 0; i < order.Length; i++)
        {
            sorted[i] = _ordinals[order[i]];
        }

        (_ordinals, _spare) = (sorted, _ordinals);
    }

    internal void Save(StateWriter writer) => writer.Int32(_evictions);

    internal void Save(StateWriter writer, int number) => writer.Int32(OrdinalOf(number));

    /// <summary>Takes in what a shard saved: behind the highest of several, no life that begins has the ordinal of an earlier one.</summary>
    internal void Load(StateReader reader) => _evictions = Math.Max(_evictions, reader.Int32());

    internal void Load(int number, int ordinal)
    {
        if (areSeveral)
        {
            _ordinals[number] = ordinal;
        }
    }
}
