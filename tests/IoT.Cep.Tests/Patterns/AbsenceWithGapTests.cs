using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>
/// An absence with a time of its own, behind steps that could also go on: <c>a{1,3} !x</c> with a gap. Events are 1 for a, 2 for b, -1 for what must not come, and 0 for what
/// concerns nobody.
/// </summary>
public class AbsenceWithGapTests
{
    [Fact]
    public void Absence_behind_a_repetition_is_given_when_its_own_time_is_over() =>
        Matches(Timeline.Of<double>().At(1, 1).Watermark(3.9).Watermark(4).At(20, 0).End()).Expect((4, "1"));

    [Fact]
    public void Each_repetition_has_an_absence_of_its_own() =>
        Matches(Timeline.Of<double>().At(1, 1).At(3, 1).At(5.5, 1).At(20, 0).End())
            .Expect((4, "1"), (6, "1 3"), (6, "3"), (8.5, "1 3 5.5"), (8.5, "3 5.5"), (8.5, "5.5"));

    [Fact]
    public void Forbidden_event_after_its_time_does_not_take_it_back() =>
        Matches(Timeline.Of<double>().At(1, 1).At(5, -1).At(20, 0).End()).Expect((4, "1"));

    [Fact]
    public void Forbidden_event_at_exactly_its_time_is_too_late() =>
        Matches(Timeline.Of<double>().At(1, 1).At(4, -1).At(20, 0).End()).Expect((4, "1"));

    [Fact]
    public void Forbidden_event_in_time_ends_all_ways() =>
        Matches(Timeline.Of<double>().At(1, 1).At(3.999, -1).At(5, 1).At(20, 0).End()).Expect((8, "5"));

    [Fact]
    public void Absence_that_was_given_is_not_given_again_when_the_window_is_over() =>
        Matches(Timeline.Of<double>().At(1, 1).Watermark(4).At(5, 0).Watermark(6).Watermark(11).At(20, 0).End()).Expect((4, "1"));

    [Fact]
    public void Partial_match_goes_on_by_its_other_ways_afterwards() =>
        Matches(Timeline.Of<double>().At(1, 1).Watermark(4).At(6, 1).At(8, 0).At(20, 0).End()).Expect((4, "1"), (9, "1 6"), (9, "6"));

    [Fact]
    public void Partial_match_goes_on_with_the_very_event_that_shows_that_its_time_is_over() =>
        Matches(Timeline.Of<double>().At(1, 1).At(4, 1).At(20, 0).End()).Expect((4, "1"), (7, "1 4"), (7, "4"));

    [Fact]
    public void Way_that_was_chosen_before_is_over_at_the_same_time() =>
        Matches(Timeline.Of<double>().At(1, 1).At(2, 0).At(3, 0).Watermark(4).At(5, -1).At(20, 0).End()).Expect((4, "1"));

    [Fact]
    public void Window_that_is_shorter_than_the_gap_ends_the_absence() =>
        Matches(Timeline.Of<double>().At(1, 1).At(2, 1).At(20, 0).End(), within: 2, gap: 3).Expect((3, "1 2"), (3, "1"), (4, "2"));

    [Fact]
    public void Window_as_long_as_the_gap_gives_the_absence_once() =>
        Matches(Timeline.Of<double>().At(1, 1).At(20, 0).End(), within: 3, gap: 3).Expect((4, "1"));

    [Fact]
    public void Repetition_that_has_a_gap_as_well_goes_on_only_so_long()
    {
        var pattern = Pattern.Begin<double>(out _, Times.Between(1, 2), x => x == 1).MaxGap(Seconds(5)).NotFollowedBy(x => x < 0).MaxGap(Seconds(3)).Within(Seconds(60));
        Run(Timeline.Of<double>().At(1, 1).At(5.5, 1).At(30, 0).End(), pattern).Expect((4, "1"), (8.5, "1 5.5"), (8.5, "5.5"));
        Run(Timeline.Of<double>().At(1, 1).At(6, 1).At(30, 0).End(), pattern).Expect((4, "1"), (9, "6"));
    }

    [Fact]
    public void Optional_step_in_between_may_still_come()
    {
        var pattern = Pattern.Begin<double>(out _, x => x == 1).FollowedBy(out _, Times.Optional, x => x == 2).NotFollowedBy(x => x < 0).MaxGap(Seconds(3)).Within(Seconds(60));
        Run(Timeline.Of<double>().At(1, 1).At(6, 2).At(30, 0).End(), pattern).Expect((4, "1"), (9, "1 6"));
        Run(Timeline.Of<double>().At(1, 1).At(5, -1).At(6, 2).At(30, 0).End(), pattern).Expect((4, "1"), (9, "1 6"));
    }

    [Fact]
    public void Condition_on_the_match_so_far_is_asked_only_in_time()
    {
        var pattern = Pattern.Begin<double>(out var a, Times.Between(1, 2), x => x > 0).NotFollowedBy((x, m) => x < -m[a].Last).MaxGap(Seconds(3)).Within(Seconds(60));
        Run(Timeline.Of<double>().At(1, 1).At(2, -1).At(5, -9).At(30, 0).End(), pattern).Expect((4, "1"));
        Run(Timeline.Of<double>().At(1, 1).At(2, -2).At(30, 0).End(), pattern).ExpectNothing();
    }

    [Fact]
    public void What_is_skipped_is_skipped_when_the_absence_is_given()
    {
        var pattern = Repeated(10, 3).AfterMatch(After.PastLastEvent);
        Run(Timeline.Of<double>().At(1, 1).Watermark(4).At(6, 1).At(30, 0).End(), pattern).Expect((4, "1"), (9, "6"));
        Run(Timeline.Of<double>().At(1, 1).At(2, 1).Watermark(4.5).At(6, 1).At(30, 0).End(), pattern).Expect((4, "1"), (5, "2"), (9, "6"));
    }

    [Fact]
    public void Partial_match_whose_absence_was_given_times_out_by_its_other_ways()
    {
        var rows = Timeline.Of<double>().At(1, 1).Watermark(4).At(30, 0).End();
        rows.Through(s =>
        {
            s.Match(Repeated(10, 3), out var timeouts);
            return timeouts.Select(one => $"{one.At.Second}: {one.Partial.Count}");
        }).Expect((11, "11: 1"));
    }

    [Fact]
    public void Keys_have_absences_of_their_own()
    {
        var pattern = Pattern.Begin<Reading>(out _, Times.Between(1, 3), r => r.Value > 0).NotFollowedBy(r => r.Value < 0).MaxGap(Seconds(3)).Within(Seconds(10));
        Timeline.Keyed().At(1, "a", 1).At(1, "b", 1).At(2, "b", -1).At(3, "c", 1).Watermark(5).At(5, "a", -1).At(6.5, "c", 1).Watermark(30).End()
            .Through(s => s.KeyBy(r => r.Key).Match(pattern).Select(m => $"{m.First.Key}{m.Count}"))
            .ExpectSet((4, "a1"), (6, "c1"), (9.5, "c1"), (9.5, "c2"));
    }

    private static Scenario<double, string> Matches(Timeline<double> rows, double within = 10, double gap = 3) => Run(rows, Repeated(within, gap));

    private static Pattern<double> Repeated(double within, double gap) =>
        Pattern.Begin<double>(out _, Times.Between(1, 3), x => x == 1).NotFollowedBy(x => x < 0).MaxGap(Seconds(gap)).Within(Seconds(within));

    /// <summary>Each match as the times of its events.</summary>
    private static Scenario<double, string> Run(Timeline<double> rows, Pattern<double> pattern) => rows.Through(s => s.Match(pattern).Select(m => TextOf(m)));

    private static string TextOf(Match<double> match)
    {
        string[] times = new string[match.Count];
        for (int i = 0; i < times.Length; i++)
        {
            times[i] = SecondsAt(match.Events[i].Ticks).ToString(System.Globalization.CultureInfo.InvariantCulture);
        }

        return string.Join(' ', times);
    }
}
