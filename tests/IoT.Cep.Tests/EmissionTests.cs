using IoT.Cep.Extensibility;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class EmissionTests
{
    [Fact]
    public void Firing_and_revision_tell_what_a_result_is() =>
        Timeline.Of<double>()
            .At(1, 1).At(2, 2).At(3, 4).Watermark(10).At(4, 8).At(5, 16).Watermark(20)
            .Through(s => s.Window(Window.Tumbling(Seconds(10)).Early(every: 2).AllowLate(Seconds(5))).Select(w => (w.Sum(x => x), w.Firing, w.Revision)))
            .Expect((10, (3, Firing.Early, 0)), (10, (7, Firing.OnTime, 1)), (10, (15, Firing.Late, 2)), (10, (31, Firing.Late, 3)));

    [Fact]
    public void Early_results_come_as_event_time_goes_on_and_only_for_keys_with_news() =>
        Timeline.Keyed()
            .At(1, "a", 1).At(2, "b", 2).Watermark(3).At(4, "a", 4).Watermark(6).Watermark(9).Watermark(10)
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10)).Early(Seconds(3))).Select(w => $"{w.Key}{w.Sum(r => r.Value)} {w.Firing}"))
            .ExpectSet((10, "a1 Early"), (10, "a5 Early"), (10, "a5 OnTime"), (10, "b2 Early"), (10, "b2 OnTime"));

    [Fact]
    public void A_result_that_no_longer_passes_is_taken_back_under_its_identity()
    {
        var outcome = Timeline.Of<double>()
            .At(1, 5).At(2, 1).At(3, 9).Watermark(10)
            .Through(s => s.Window(Window.Tumbling(Seconds(10)).OnChange()).Having(w => w.Average(x => x) > 4).Select(w => w.Sum(x => x)))
            .WithIdentity().Expect((10, 5), (10, 5), (10, 15), (10, 15));
        Assert.Equal([EventKind.Insert, EventKind.Retract, EventKind.Insert, EventKind.Update], outcome.Rows.Select(row => row.Kind));
        Assert.Single(outcome.Rows.Select(row => row.Id).Distinct());
    }

    [Fact]
    public void Updates_tell_what_held_before() =>
        Timeline.Of<double>()
            .At(1, 5).Watermark(10).At(2, 1).Watermark(11).At(3, 30).Watermark(30)
            .Through(s => s.Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(9))).Having(w => w.Average(x => x) > 4).SelectUpdates(w => w.Sum(x => x)))
            .Expect(
                (10, new Update<double>(5, 0, Firing.OnTime, 0) { HasCurrent = true }),
                (10, new Update<double>(0, 5, Firing.Late, 1) { HasPrevious = true }),
                (10, new Update<double>(36, 0, Firing.Late, 2) { HasCurrent = true }));

    [Fact]
    public void Updates_are_events_that_any_operator_takes() =>
        new Input<double>().ToStream().Window(Window.Tumbling(Seconds(10)).OnChange()).SelectUpdates(w => w.Sum(x => x)).Window(Window.Tumbling(Seconds(10)));

    [Fact]
    public void Updates_print_no_result_as_none() => Assert.Equal(
        ["Update { Current = none, Previous = 5, Firing = Late, Revision = 1 }", "Update { Current = 7, Previous = none, Firing = OnTime, Revision = 0 }"],
        [$"{new Update<int>(0, 5, Firing.Late, 1) { HasPrevious = true }}", $"{new Update<int>(7, 0, Firing.OnTime, 0) { HasCurrent = true }}"]);

    [Fact]
    public void Corrections_are_refused_where_they_can_not_be_taken()
    {
        var windows = new Input<double>().ToStream().Window(Window.Tumbling(Seconds(10)).OnChange()).Select(w => w.Sum(x => x));
        Assert.Contains("OnChange", Assert.Throws<ArgumentException>(() => windows.Window(Window.Tumbling(Seconds(10)))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_observer_can_not_take_results_back()
    {
        var windows = new Input<double>().ToStream().Window(Window.Tumbling(Seconds(10)).OnChange()).Having(w => w.Count() > 1).Select(w => w.Sum(x => x));
        Assert.Contains("SelectUpdates", Assert.Throws<ArgumentException>(() => windows.Subscribe(new Nobody())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_correction_that_fails_a_filter_takes_back_whatever_was_given()
    {
        var outcome = Timeline.Of<double>()
            .At(1, 5).At(2, -4).At(3, 8).At(4, -7).Watermark(10)
            .Through(s => s.Window(Window.Tumbling(Seconds(10)).OnChange()).Select(w => w.Sum(x => x)).Where(sum => sum > 4))
            .WithIdentity().Expect((10, 5), (10, 1), (10, 9), (10, 2), (10, 2));
        Assert.Equal(
            [EventKind.Insert, EventKind.Retract, EventKind.Update, EventKind.Retract, EventKind.Retract], outcome.Rows.Select(row => row.Kind));
        Assert.Single(outcome.Rows.Select(row => row.Id).Distinct());
    }

    [Fact]
    public void A_first_result_that_fails_a_filter_is_nothing_to_take_back() =>
        Timeline.Of<double>()
            .At(1, 1).Watermark(10).At(11, 9).Watermark(20)
            .Through(s => s.Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(9))).Select(w => w.Sum(x => x)).Where(sum => sum > 4))
            .WithIdentity().Expect((20, 9));

    [Fact]
    public void Behind_a_filter_neither_another_one_nor_a_projection_sees_what_it_takes_back()
    {
        var names = new Table<int, string>([new(2, "two")]);
        var outcome = Timeline.Of<double>()
            .At(1, 2).At(2, -2).At(3, 2).Watermark(10)
            .Through(s => s.Window(Window.Tumbling(Seconds(10)).OnChange()).Select(w => w.Sum(x => x)).Where(sum => sum != 0)
                .Where(sum => 4 / (int)sum > 0).Select(sum => 4 / (int)sum)
                .Enrich(names, half => 4 / half, (half, row) => row ?? $"{4 / half}"))
            .WithIdentity().Expect((10, "two"), (10, null!), (10, "two"), (10, "two"));
        Assert.Equal([EventKind.Insert, EventKind.Retract, EventKind.Update, EventKind.Update], outcome.Rows.Select(row => row.Kind));
    }

    [Fact]
    public void An_observer_can_not_take_back_what_a_filter_no_longer_passes_or_a_session_that_was_joined()
    {
        var stream = new Input<double>().ToStream();
        IEventStream<double>[] retracting =
        [
            stream.Window(Window.Tumbling(Seconds(10)).AllowLate(Seconds(1))).Select(w => w.Sum(x => x)).Where(sum => sum > 5).Select(sum => sum),
            stream.Window(Window.Session(Seconds(10)).AllowLate(Seconds(1))).Select(w => w.Sum(x => x)).Named("sums"),
        ];
        foreach (var corrected in retracting)
        {
            string message = Assert.Throws<ArgumentException>(() => corrected.Subscribe(new Nobody())).Message;
            Assert.Contains("leave AllowLate", message, StringComparison.Ordinal);
        }

        Assert.False(stream.Window(Window.Session(Seconds(10))).Select(w => w.Sum(x => x)).Where(sum => sum > 5).Node.CanRetract);
    }

    [Fact]
    public void Late_events_are_moved_into_the_earliest_open_window()
    {
        var outcome = Timeline.Of<double>()
            .At(3, 1).Watermark(12).At(9, 2).Watermark(24).At(9, 4).End()
            .Through(s => s.Window(Window.Tumbling(Seconds(10)).LateIntoOpen()).Select(w => w.Sum(x => x)))
            .Expect((10, 1), (20, 2), (30, 4));
        Assert.Equal(0, outcome.LateEvents);
    }

    [Fact]
    public void Moved_events_leave_none_for_the_side_output() => Assert.Throws<ArgumentException>(
        () => new Input<double>().ToStream().Window(Window.Tumbling(Seconds(10)).LateIntoOpen()).Late(out _));

    [Fact]
    public void An_event_whose_correction_can_not_be_projected_is_in_no_later_result() =>
        Timeline.Of<double>()
            .At(3, 1).Watermark(12).At(9, 2).At(9, 4).Watermark(30)
            .Through(s => s.Window(Window.Hopping(Seconds(10), Seconds(5)).AllowLate(Seconds(30)))
                .Select(w => w.Max(x => x) == 2 && w.Start == Time(0) ? throw new FormatException("no") : w.Sum(x => x)))
            .Skipping().ExpectSet((5, 1), (10, 1), (10, 5), (15, 4));

    private sealed class Nobody : IObserver<double>
    {
        public void OnCompleted()
        {
        }

        public void OnError(Exception error)
        {
        }

        public void OnNext(double value)
        {
        }
    }
}
