namespace IoT.Cep;

/// <summary>What an event does to a key that has one set at most.</summary>
/// <param name="Kind">Whether it is one of the common cases.</param>
/// <param name="Begins">1 where a partial match begins, beside those that there are; 0 where none is open any more, since all there were are complete.</param>
/// <param name="Label">Which step takes the event.</param>
/// <param name="Target">The configuration of the key's set then.</param>
internal readonly record struct Act(ActKind Kind, byte Begins, int Label, int Target);

/// <summary>Whether what an event does is one of the common cases.</summary>
internal enum ActKind : byte
{
    /// <summary>That was not asked yet.</summary>
    Unknown,

    /// <summary>A partial match begins, or what there is becomes complete.</summary>
    Common,

    /// <summary>Nothing.</summary>
    None,

    /// <summary>Anything else.</summary>
    Other,
}
