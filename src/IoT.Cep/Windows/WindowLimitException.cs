using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A window per event holds as many events of a key as allowed, and met one more.</summary>
#pragma warning disable CA1032 // the key and the limit are what it is for
public sealed class WindowLimitException : InvalidOperationException
#pragma warning restore CA1032
{
    internal WindowLimitException(object key, int maxEvents)
        : base($"A window of the key '{SafeText.Escape(key.ToString())}' met more than {maxEvents:N0} events. Raise the limit with maxEventsPerKey: ..., "
            + "make the window shorter, or let the oldest event give way with whenFull: WindowOverflow.DropOldest.") => MaxEvents = maxEvents;

    /// <summary>The limit.</summary>
    public int MaxEvents { get; }
}
