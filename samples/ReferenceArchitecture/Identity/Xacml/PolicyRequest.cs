namespace IoT.Reference.Identity.Xacml;

/// <summary>Which place an attribute has in every request; found once, when a policy is read.</summary>
internal sealed class AttributeSlots
{
    /// <summary>Of known and policies' own attributes together.</summary>
    internal const int Max = 256;

    private readonly Dictionary<(string Category, string Id, DataType Type), int> _slots = [];
    private readonly Lock _gate = new();

    /// <exception cref="PolicyException">The policies name too many.</exception>
    internal int Of(string category, string id, DataType type)
    {
        lock (_gate)
        {
            if (!_slots.TryGetValue((category, id, type), out int slot))
            {
                slot = _slots.Count < Max ? _slots.Count : throw new PolicyException($"Policies name more than {Max} attributes.");
                _slots.Add((category, id, type), slot);
            }

            return slot;
        }
    }
}

/// <summary>What is to be decided: the values of attributes. Not thread-safe; made for one decision, or cleared for the next.</summary>
internal sealed class PolicyRequest
{
    private readonly object[]?[] _values = new object[]?[AttributeSlots.Max];

    internal static object[] Nothing { get; } = [];

    internal object[] this[int slot]
    {
        get => _values[slot] ?? Nothing;
        set => _values[slot] = value;
    }

    internal void Clear() => Array.Clear(_values);
}

/// <summary>A policy can't be read; the message says where and why.</summary>
internal sealed class PolicyException : Exception
{
    public PolicyException()
    {
    }

    public PolicyException(string message)
        : base(message)
    {
    }

    public PolicyException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
