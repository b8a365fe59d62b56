namespace IoT.Cep;

/// <summary>Which events a step takes: a condition on the event alone, which is asked once for each event, or one on the match so far as well.</summary>
internal sealed class Condition<T>
{
    private readonly Delegate _written;

    private Condition(Func<T, bool>? simple, Func<T, PartialMatch<T>, bool>? dependent, Delegate written, string text)
    {
        (Simple, Dependent, _written) = (simple, dependent, written);
        Text = StreamExtensions.Shorten(text);
    }

    internal Func<T, bool>? Simple { get; }

    internal Func<T, PartialMatch<T>, bool>? Dependent { get; }

    /// <summary>The source text.</summary>
    internal string Text { get; }

    internal static Condition<T> Of(Func<T, bool> condition, string text)
    {
        ArgumentNullException.ThrowIfNull(condition);
        return condition.Target is Predicate<T> predicate
            ? new Condition<T>(condition, null, condition, predicate.ToString())
            : new Condition<T>(condition, null, condition, text);
    }

    internal static Condition<T> Of(Func<T, PartialMatch<T>, bool> condition, string text)
    {
        ArgumentNullException.ThrowIfNull(condition);
        return new Condition<T>(null, condition, condition, text);
    }

    /// <summary>A condition on events of a narrower type, or of one case of an <see cref="Either{TFirst, TSecond}"/>: others are not taken.</summary>
    internal static Condition<T> Of<TStep>(Func<TStep, bool> condition, string text)
    {
        ArgumentNullException.ThrowIfNull(condition);
        return condition is Func<T, bool> same
            ? Of(same, text)
            : new Condition<T>(value => Cases<T>.TryGet(in value, out TStep? one) && condition(one!), null, condition, $"{typeof(TStep).Name}: {text}");
    }

    internal static Condition<T> Of<TStep>(Func<TStep, PartialMatch<T>, bool> condition, string text)
    {
        ArgumentNullException.ThrowIfNull(condition);
        return condition is Func<T, PartialMatch<T>, bool> same
            ? Of(same, text)
            : new Condition<T>(null, (value, match) => Cases<T>.TryGet(in value, out TStep? one) && condition(one!, match), condition, $"{typeof(TStep).Name}: {text}");
    }

    /// <summary>Whether both say the same of every event, as far as that can be seen: the same function, the same lambda with the same closure, equal structured predicates.</summary>
    internal bool IsSameAs(Condition<T> other) =>
        ReferenceEquals(this, other)
        || (Simple is not null && other.Simple is not null && Text == other.Text && _written.GetType() == other._written.GetType()
            && (_written.Target is Predicate<T> && other._written.Target is Predicate<T>
                || (Text.Length < StreamExtensions.MaxShortened && Selections.AreSame(_written, other._written, Text))));
}
