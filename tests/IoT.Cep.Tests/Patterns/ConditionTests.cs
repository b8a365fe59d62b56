using static IoT.Cep.Tests.Signs;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Conditions on the match so far.</summary>
public class PatternConditionTests
{
    private static Step<Sign> _first = null!;
    private static Steps<Sign> _bs = null!;
    private static readonly Pattern<Sign> _many = Pattern.Begin<Sign>(out _first, A).FollowedBy(out _bs, Times.AtLeast(2), B);

    [Fact]
    public void Condition_sees_first_last_previous_and_count() => Expect(
        "a1 b2 b5 b3 c3", _many.FollowedBy(out _, (s, m) => C(s) && m[_bs].First.Number == 2 && m[_bs].Last.Number == s.Number
            && m[_bs][m[_bs].Count - 2].Number == 5 && m[_bs].Count == 3 && !m[_bs].IsEmpty && m.Count == 4 && m.First == m[_first] && m.Last == m[_bs].Last).Within(Seconds(60)),
        "a1 b2 b5 b3 c3");

    [Fact]
    public void Condition_sees_sum_least_greatest_and_average() => Expect(
        "a1 b2 b5 b3 c10", _many.FollowedBy(out _, (s, m) => C(s) && m[_bs].Sum(b => b.Number) == s.Number && m[_bs].Min(b => b.Number) == 2
            && m[_bs].Max(b => b.Number) == 5 && m[_bs].Average(b => b.Number) == 10 / 3.0).Within(Seconds(60)),
        "a1 b2 b5 b3 c10");

    [Fact]
    public void Values_of_steps_that_have_nothing_are_none()
    {
        var pattern = Pattern.Begin<Sign>(out _, A).FollowedBy(out var maybe, Times.Optional, B).FollowedBy(out _, (s, m) => C(s) && m[maybe].IsEmpty && m[maybe].Count == 0
            && m[maybe].Sum(b => b.Number) == 0 && double.IsNaN(m[maybe].Average(b => b.Number)) && double.IsNaN(m[maybe].Min(b => b.Number)) && double.IsNaN(m[maybe].Max(b => b.Number))
            && !m.Has(maybe)).Within(Seconds(60));
        Expect("a1 b2 c3", pattern, "a1 c3");
    }

    [Fact]
    public void Running_values_are_asked_for_once_an_event()
    {
        int calls = 0;
        double Value(Sign sign)
        {
            calls++;
            return sign.Number;
        }

        Func<Sign, double> value = Value;
        var pattern = Pattern.Begin<Sign>(out _, A).FollowedBy(out _, Times.AtLeast(200), (s, m) => B(s) && m.Taken.Sum(value) >= 0 && m.Taken.Max(value) != -1).Consecutive()
            .Within(Seconds(6000)).AfterMatch(After.PastLastEvent);
        var input = new Input<Sign>();
        using var run = new PlanRun<Sign, Match<Sign>>(input, input.ToStream().Match(pattern).Node, shards: 1);
        run.Push([new Sign('x', 'a', 0), .. Enumerable.Range(1, 200).Select(i => new Sign('x', 'b', i))], [.. Enumerable.Range(0, 201).Select(i => TicksAt(i))]);
        run.Complete();
        Assert.Single(run.Sink.Results);
        Assert.InRange(calls, 1, 201);
    }

    [Fact]
    public void Taken_is_what_the_step_under_test_has() => Expect(
        "a1 b2 b4 b6 b7", Pattern.Begin<Sign>(out _, A).FollowedBy(out _, Times.Exactly(3), (s, m) => B(s) && (m.Taken.IsEmpty || s.Number == m.Taken.Last.Number + 2)).Within(Seconds(60)),
        "a1 b2 b4 b6");

    [Fact]
    public void Taken_is_empty_for_a_single_step() => Expect("a1 b2", Pattern.Begin<Sign>(out _, A).FollowedBy(out _, (s, m) => m.Taken.Count == 0 && m.Count == 1).Within(Seconds(60)), "a1 b2");

    [Fact]
    public void Elapsed_counts_from_the_first_event_and_since_last_from_the_last_one()
    {
        Expect("a1 b2 - c4 c5", Pattern.Begin<Sign>(out _, A).FollowedBy(out _, B).FollowedBy(out _, (s, m) => C(s) && m.Elapsed == Seconds(4) && m.SinceLast == Seconds(3)).Within(Seconds(60)), "a1 b2 c5");
        Expect("a1 b2", Pattern.Begin<Sign>(out _, Times.Exactly(1), (s, m) => A(s) && m.Elapsed == TimeSpan.Zero && m.SinceLast == TimeSpan.Zero).Next(out _, B).Within(Seconds(60)), "a1 b2");
        Expect("a1 b2", Pattern.Begin<Sign>(out _, A).Next(out _, (s, m) => m.Start == Time(1)).Within(Seconds(60)), "a1 b2");
    }

    [Fact]
    public void Step_that_has_taken_nothing_says_so()
    {
        var pattern = Pattern.Begin<Sign>(out var a, A).Or(out var b, B).FollowedBy(out _, (s, m) => m[b].Number == 1).Within(Seconds(60));
        var error = Rows("a1 c2", "x").Through(s => s.Match(pattern)).ExpectError();
        Assert.Contains("The step 'b' has taken no event where this is asked. Ask Has(b) first.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Match_without_an_event_of_a_step_says_so()
    {
        var pattern = Pattern.Begin<Sign>(out _, A).Or(out var b, B).Within(Seconds(60));
        var error = Rows("a1", "x").Through(s => s.Match(pattern).Select(m => m[b].Number)).ExpectError();
        Assert.Contains("The step 'b' has taken no event in this match. Ask Has(b) first.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Handle_of_another_pattern_names_the_steps_that_there_are()
    {
        Pattern.Begin<Sign>(out var one, A).FollowedBy(out var some, Times.Optional, B).FollowedBy(out var groups, Times.Optional, Pattern.Begin<Sign>(out _, C));
        var pattern = Pattern.Begin<Sign>(out var first, A).FollowedBy(out var second, B).Within(Seconds(60));
        foreach (var wrong in new Func<Match<Sign>, object>[] { m => m[one], m => m[some], m => m[groups], m => m.Get(one) })
        {
            var error = Rows("a1 b2", "x").Through(s => s.Match(pattern).Select(wrong)).ExpectError();
            Assert.IsType<ArgumentException>(error.InnerException);
            Assert.Matches("The step '(one|some|groups)' is of another pattern; this one has first, second.", error.Message);
        }

        var inside = Pattern.Begin<Sign>(out _, A).FollowedBy(out _, (s, m) => m[some].Count > 0).Within(Seconds(60));
        Assert.IsType<ArgumentException>(Rows("a1 b2", "x").Through(s => s.Match(inside)).ExpectError().InnerException);
    }

    [Fact]
    public void Match_says_what_it_is()
    {
        var pattern = Pattern.Begin<Sign>(out var first, A).FollowedBy(out var rest, Times.Exactly(2), B).Within(Seconds(60));
        Expect("a1 b2 b3", pattern, m => $"{m} {m.Count} {m.First} {m.Last} {m.Variant} {m.Start.Second}-{m.End.Second} {m.Equals(default)} {default(Match<Sign>)}|", "first: a1, rest: b2, rest: b3 3 a1 b3 0 1-3 False |");
    }

    [Fact]
    public void Structured_predicates_are_conditions_and_equal_ones_are_one()
    {
        var number = new Field<Sign, int>("Number", (in s) => s.Number);
        var pattern = Pattern.Begin<Sign>(out _, number > 5).FollowedBy(out _, number > 5).FollowedBy(out _, number < 2).Within(Seconds(60));
        Expect("a6 a4 a7 a1", pattern, "a6 a7 a1");
        Assert.Equal(2, new PatternShape<Sign>(pattern, new ConditionTable<Sign>(), new PatternShape<Sign>[1], 0).Numbers.Count);
    }
}
