using static IoT.Cep.Tests.Signs;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>One of several, and all of several in any order.</summary>
public class PatternAlternativeTests
{
    [Fact]
    public void Or_fills_the_step_with_the_first_condition_that_is_true()
    {
        var pattern = Pattern.Begin<Sign>(out _, A).FollowedBy(out var b, B).Or(out var nine, s => s.Number == 9).FollowedBy(out _, C).Within(Seconds(60));
        Expect("a1 n9 c3", pattern, m => $"{Text(m)} {m.Has(b)} {m.Has(nine)} {m[nine]}", "a1 n9 c3 False True n9");
        Expect("a1 b9 c3", pattern, m => $"{Text(m)} {m.Has(b)} {m.Has(nine)} {m[b]}", "a1 b9 c3 True False b9");
    }

    [Fact]
    public void Or_may_ask_for_what_the_match_has()
    {
        var pattern = Pattern.Begin<Sign>(out var a, A).FollowedBy(out _, B).Or(out var more, (s, m) => s.Number > m[a].Number).Within(Seconds(60));
        Expect("a5 n4 n6 b7", pattern, m => $"{Text(m)} {m.Has(more)}", "a5 n6 True");
    }

    [Fact]
    public void And_takes_both_in_any_order_with_anything_between()
    {
        var pattern = Pattern.Begin<Sign>(out _, A).FollowedBy(out var b, B).And(out var c, C).FollowedBy(out _, D).Within(Seconds(60));
        Expect("a1 n2 c3 n4 b5 d6", pattern, m => $"{Text(m)}: {m[b]}{m[c]}", "a1 c3 b5 d6: b5c3");
        Expect("a1 b2 c3 d6 c7", pattern, m => $"{Text(m)}: {m[b]}{m[c]}", "a1 b2 c3 d6: b2c3");
    }

    [Fact]
    public void And_of_three_takes_them_in_any_order() => Expect(
        "c1 a2 b3", Pattern.Begin<Sign>(out _, A).And(out _, B).And(out _, C).Within(Seconds(60)), "c1 a2 b3");

    [Fact]
    public void And_behind_next_wants_both_directly() => Expect(
        "a1 c2 b3 a4 b5 n6 c7", Pattern.Begin<Sign>(out _, A).Next(out _, B).And(out _, C).Within(Seconds(60)), "a1 c2 b3");

    [Fact]
    public void And_may_ask_for_what_the_match_has()
    {
        var pattern = Pattern.Begin<Sign>(out var a, A).And(out _, (s, m) => B(s) && (!m.Has(a) || s.Number > m[a].Number)).Within(Seconds(60));
        Expect("a5 b4 b6", pattern, "a5 b6");
        Expect("b4 a5", pattern, "b4 a5");
    }

    [Fact]
    public void Any_of_gives_matches_of_each_alternative()
    {
        var pattern = Pattern.Begin<Sign>(out _, A).FollowedBy(Pattern.AnyOf(Pattern.Begin<Sign>(out var b, B).Next(out _, C), Pattern.Begin<Sign>(out var c, C))).Within(Seconds(60));
        Expect("a1 b2 c3", pattern, m => $"{Text(m)} {m.Has(b)} {m.Has(c)}", "a1 b2 c3 True False", "a1 c3 False True");
    }

    [Fact]
    public void All_of_gives_each_order_of_the_parts()
    {
        var pattern = Pattern.Begin(Pattern.AllOf(Pattern.Begin<Sign>(out _, A).Next(out _, B), Pattern.Begin<Sign>(out _, C))).Within(Seconds(60));
        Expect("a1 b2 n3 c4", pattern, "a1 b2 c4");
        Expect("c1 n2 a3 b4", pattern, "c1 a3 b4");
    }

    [Fact]
    public void All_of_by_itself_lets_anything_stand_between_its_parts_as_when_a_pattern_begins_with_it() =>
        Expect("c1 n2 a3 b4", Pattern.AllOf(Pattern.Begin<Sign>(out _, A).Next(out _, B), Pattern.Begin<Sign>(out _, C)).Within(Seconds(60)), "c1 a3 b4");

    [Fact]
    public void Any_of_by_itself_is_a_pattern() => Expect(
        "a1 b2", Pattern.AnyOf(Pattern.Begin<Sign>(out _, A), Pattern.Begin<Sign>(out _, B)).Within(Seconds(60)), "a1", "b2");

    [Fact]
    public void Max_gap_of_parts_in_any_order_lies_between_them_as_well()
    {
        var pattern = Pattern.Begin<Sign>(out _, A).FollowedBy(out _, B).And(out _, C).MaxGap(Seconds(2)).Within(Seconds(60));
        Expect("a1 b2 c3", pattern, "a1 b2 c3");
        Expect("a1 b2 - c4", pattern);
    }
}
