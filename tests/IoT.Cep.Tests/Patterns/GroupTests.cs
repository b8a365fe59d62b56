using static IoT.Cep.Tests.Signs;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Patterns inside patterns.</summary>
public class PatternGroupTests
{
    [Fact]
    public void Repeated_groups_matches_are_a_list()
    {
        var pattern = Pattern.Begin<Sign>(out _, A)
            .FollowedBy(out var flaps, Times.Exactly(2), Pattern.Begin<Sign>(out var on, B).Next(out var off, C))
            .Within(Seconds(60));
        Expect(
            "a1 n3 b4 c5 n6 b7 c8", pattern,
            m => m[flaps] is [var first, var last] ? $"{m[flaps].Count}: {first[on]}{first[off]} {last[on]}{last[off]} {m[flaps][0][on]} {m[flaps].Last[off]} {m[on]} {last.Count}" : "?",
            "2: b4c5 b7c8 b4 c8 b7 2");
    }

    [Fact]
    public void Groups_in_groups_are_lists_of_lists()
    {
        var pattern = Pattern.Begin<Sign>(out _, A)
            .FollowedBy(out var cycles, Times.OneOrMore, Pattern.Begin<Sign>(out var load, B)
                .FollowedBy(out var strokes, Times.Exactly(2), Pattern.Begin<Sign>(out var press, C).Next(out var release, D)))
            .FollowedBy(out _, N).Within(Seconds(60)).AfterMatch(After.PastLastEvent);
        Expect(
            "a1 b1 c1 d1 c2 d2 b2 c3 d3 c4 d4 n9", pattern,
            m => string.Join(' ', m[cycles].Select(cycle => $"{cycle[load]}:{string.Join(',', cycle[strokes].Select(stroke => $"{stroke[press]}{stroke[release]}"))}")),
            "b1:c1d1,c2d2 b2:c3d3,c4d4");
        Expect(
            "a1 b1 c1 d1 c2 d2 b2 c3 d3 c4 d4 n9", Without(pattern),
            m => string.Join(' ', m[cycles].Select(cycle => $"{cycle[load]}:{string.Join(',', cycle[strokes].Select(stroke => $"{stroke[press]}{stroke[release]}"))}")),
            "b1:c1d1,c2d2", "b1:c1d1,c2d2 b2:c3d3,c4d4");

        static Pattern<Sign> Without(Pattern<Sign> pattern) => pattern.AfterMatch(After.NoSkip);
    }

    [Fact]
    public void Group_in_place_is_read_from_the_match()
    {
        var pattern = Pattern.Begin<Sign>(out _, A).FollowedBy(Pattern.Begin<Sign>(out var b, B).Next(out var c, C)).Next(out _, D).Within(Seconds(60));
        Expect("a1 b2 b3 c4 d5", pattern, m => $"{m[b]}{m[c]}");
        Expect("a1 n2 b3 c4 d5", pattern, m => $"{m[b]}{m[c]}", "b3c4");
    }

    [Fact]
    public void Next_of_a_group_is_the_groups_first_step() =>
        Expect("a1 b2 c3 a4 n5 b6 c7", Pattern.Begin<Sign>(out _, A).Next(Pattern.Begin<Sign>(out _, B).FollowedBy(out _, C)).Within(Seconds(60)), "a1 b2 c3");

    [Fact]
    public void Followed_by_any_of_a_group_begins_it_with_each() => Expect(
        "a1 b2 b3 c4", Pattern.Begin<Sign>(out _, A).FollowedByAny(Pattern.Begin<Sign>(out _, B).FollowedBy(out _, C)).Within(Seconds(60)), "a1 b2 c4", "a1 b3 c4");

    [Fact]
    public void Consecutive_groups_have_nothing_between_them()
    {
        var pair = Pattern.Begin<Sign>(out _, B).FollowedBy(out _, C);
        var pattern = Pattern.Begin<Sign>(out _, A).FollowedBy(out _, Times.Exactly(2), pair).Consecutive().Within(Seconds(60));
        Expect("a1 b2 n3 c4 b5 c6", pattern, "a1 b2 c4 b5 c6");
        Expect("a1 b2 c3 n4 b5 c6", pattern);
    }

    [Fact]
    public void Pattern_begins_with_a_repeated_group()
    {
        var pattern = Pattern.Begin(out var pairs, Times.Exactly(2), Pattern.Begin<Sign>(out _, A).Next(out _, B)).Within(Seconds(60));
        Expect("a1 b2 a3 b4 a5 b6", pattern, m => $"{Text(m)} {m[pairs].Count}", "a1 b2 a3 b4 2", "a3 b4 a5 b6 2");
    }

    [Fact]
    public void Group_that_is_used_twice_is_read_by_place()
    {
        var pair = Pattern.Begin<Sign>(out var b, B).Next(out _, C);
        var pattern = Pattern.Begin<Sign>(out _, A).FollowedBy(out var first, Times.Exactly(1), pair).FollowedBy(out _, D).FollowedBy(out var second, Times.Exactly(1), pair).Within(Seconds(60));
        Expect("a1 b2 c3 d4 b5 c6", pattern, m => $"{m[first][0][b]} {m[second][0][b]} {m[first].Count} {m[second].Count}", "b2 b5 1 1");
    }

    [Fact]
    public void Optional_group_is_an_empty_list()
    {
        var pattern = Pattern.Begin<Sign>(out _, A).Next(out var pairs, Times.Optional, Pattern.Begin<Sign>(out _, B).Next(out _, C)).Next(out _, D).Within(Seconds(60));
        Expect("a1 d2 a3 b4 c5 d6", pattern, m => $"{m[pairs].Count} {m.Has(pairs)}", "0 False", "1 True");
    }

    [Fact]
    public void Step_events_are_a_list_that_patterns_read()
    {
        var pattern = Pattern.Begin<Sign>(out _, A).FollowedBy(out var all, Times.Exactly(3), B).FollowedBy(out _, C).Within(Seconds(60));
        Expect("a1 b5 n4 b2 b9 c3", pattern, m => m[all] is [var one, .., var last] && m[all] is [_, var two, _] ? $"{one} {two} {last}" : "?", "b5 b2 b9");
        Expect("a1 b5 b2 n4 b9 c3", pattern, m => $"{m[all].Count} {m[all].First} {m[all].Last} {m[all].IsEmpty} {string.Join(',', m[all])}", "3 b5 b9 False b5,b2,b9");
        Expect(
            "a1 b5 b2 b9 c3", pattern, m => string.Create(
                System.Globalization.CultureInfo.InvariantCulture,
                $"{m[all].Sum(b => b.Number)} {m[all].Min(b => b.Number)} {m[all].Max(b => b.Number)} {m[all].Average(b => b.Number):0.00}"), "16 2 9 5.33");
    }

    [Fact]
    public void Events_of_a_step_in_a_repeated_group_are_a_list_of_all_rounds()
    {
        var pattern = Pattern.Begin(out var rounds, Times.Exactly(2), Pattern.Begin<Sign>(out var many, Times.Exactly(2), A).FollowedBy(out _, B)).Within(Seconds(60));
        Expect(
            "a1 a2 b3 a4 n5 a6 b7", pattern, m => $"{string.Join(',', m[many])} {m[many][2]} {string.Join(',', m[rounds][1][many])} {m[rounds][1].Start.Second}-{m[rounds][1].End.Second}",
            "a1,a2,a4,a6 a4 a4,a6 4-7");
    }
}
