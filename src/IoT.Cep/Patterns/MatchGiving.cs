using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>What is made of a match: the match itself, a partial one whose time was over, or what a callback makes of it.</summary>
internal interface IGiving<T, TResult>
{
    bool TakesTimeouts { get; }

    TResult Make<TKey>(Matcher<TKey, T> matcher)
        where TKey : notnull;

    /// <summary>Whether all matches that sets have can be given out together: nothing can fail on the way.</summary>
    bool GivesAll { get; }

    void GiveAll<TKey>(SetMatcher<TKey, T> sets, OrderedOutput<TResult> output)
        where TKey : notnull;

    void Save(StateWriter writer, TResult result);

    TResult Load(StateReader reader, PatternShape<T> shape);
}

internal readonly struct MatchGiving<T> : IGiving<T, Match<T>>
{
    public bool TakesTimeouts => false;

    public Match<T> Make<TKey>(Matcher<TKey, T> matcher)
        where TKey : notnull => matcher.NextMatch;

    public bool GivesAll => true;

    public void GiveAll<TKey>(SetMatcher<TKey, T> sets, OrderedOutput<Match<T>> output)
        where TKey : notnull => sets.GiveAll(output);

    public void Save(StateWriter writer, Match<T> result)
    {
        writer.Int32(result.Variant);
        result.Save(writer);
    }

    public Match<T> Load(StateReader reader, PatternShape<T> shape) => Match<T>.Load(reader, shape.Variants[reader.Int32()]);
}

internal readonly struct TimeoutGiving<T> : IGiving<T, Timeout<T>>
{
    public bool TakesTimeouts => true;

    public Timeout<T> Make<TKey>(Matcher<TKey, T> matcher)
        where TKey : notnull => new(matcher.NextMatch, Ticks.ToTime(matcher.Next.Ticks));

    public bool GivesAll => false;

    public void GiveAll<TKey>(SetMatcher<TKey, T> sets, OrderedOutput<Timeout<T>> output)
        where TKey : notnull => throw new System.Diagnostics.UnreachableException();

    public void Save(StateWriter writer, Timeout<T> result)
    {
        writer.Int64(Ticks.From(result.At));
        result.Partial.Save(writer);
    }

    public Timeout<T> Load(StateReader reader, PatternShape<T> shape)
    {
        long at = reader.Int64();
        return new Timeout<T>(Match<T>.Load(reader, shape), Ticks.ToTime(at));
    }
}

internal readonly struct CallbackGiving<T, TResult>(Func<PartialMatch<T>, TResult> select) : IGiving<T, TResult>
{
    public bool TakesTimeouts => false;

    public TResult Make<TKey>(Matcher<TKey, T> matcher)
        where TKey : notnull => select(matcher.NextPartial);

    public bool GivesAll => false;

    public void GiveAll<TKey>(SetMatcher<TKey, T> sets, OrderedOutput<TResult> output)
        where TKey : notnull => throw new System.Diagnostics.UnreachableException();

    public void Save(StateWriter writer, TResult result) => StateCodec.Require<TResult>().Write(writer, result);

    public TResult Load(StateReader reader, PatternShape<T> shape) => StateCodec.Require<TResult>().Read(reader);
}
