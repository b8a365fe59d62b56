namespace IoT.Cep.Extensibility;

/// <summary>
/// A watermark strategy of one's own, for <see cref="Watermarks.From"/>: one object for each source partition, used by one thread at a time.
/// </summary>
/// <remarks>
/// It is asked once a batch, not once an event. What it writes for an event must follow from that event and those before it alone, never from
/// where a batch ends: then results do not depend on batch borders. Where it throws it must have changed nothing; the batch is then given again
/// event by event, and an event at which it throws alone becomes a dead letter.
/// </remarks>
/// <typeparam name="T">The event's type.</typeparam>
public abstract class WatermarkStrategy<T>
{
    /// <summary>Says which watermark holds behind each event: no event before it is expected any more.</summary>
    /// <param name="batch">The next events of the partition. Those too far in the future have been left out.</param>
    /// <param name="watermarks">
    /// One for each event, in ticks: fill in all of them. One that is lower than an earlier one changes nothing; <see cref="long.MinValue"/> says
    /// nothing. On a live source one beyond <c>maxFuture</c> counts as that bound.
    /// </param>
    public abstract void Observe(in Batch<T> batch, Span<long> watermarks);

    /// <summary>Saves what it remembers.</summary>
    /// <param name="writer">Where to.</param>
    public abstract void Save(StateWriter writer);

    /// <summary>Takes up what was saved, in the same order.</summary>
    /// <param name="reader">Where from.</param>
    public abstract void Load(StateReader reader);
}
