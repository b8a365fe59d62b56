namespace IoT.Cep.Extensibility;

/// <summary>What came with a message beside its body: names and values, as the transport has them. Valid only during the call.</summary>
/// <param name="entries">The pairs, in the order in which they came; a name may stand more than once.</param>
public readonly struct PayloadHeaders(IReadOnlyList<KeyValuePair<string, string>> entries)
{
    /// <summary>How many pairs.</summary>
    public int Count => entries?.Count ?? 0;

    /// <summary>A pair, by its place.</summary>
    /// <param name="index">Its place, from 0.</param>
    public KeyValuePair<string, string> this[int index] => entries[index];

    /// <summary>The first value of a name.</summary>
    /// <param name="name">The name; the case of ASCII letters does not matter.</param>
    /// <returns>Null where there is none.</returns>
    public string? Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (entries is CloudEventHeaders attributes)
        {
            return attributes.Find(name);
        }

        for (int i = 0; i < Count; i++)
        {
            if (string.Equals(entries[i].Key, name, StringComparison.OrdinalIgnoreCase))
            {
                return entries[i].Value;
            }
        }

        return null;
    }
}
