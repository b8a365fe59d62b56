using IoT.Cep.Extensibility;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

public class SessionTests
{
    [Fact]
    public void Session_ends_a_gap_behind_its_last_event() =>
        Timeline.Of<double>()
            .At(3, 1).At(4, 2).At(5.999, 4).Watermark(7.998).At(8.5, 8).Watermark(8.5).Watermark(20)
            .Through(s => s.Window(Window.Session(Seconds(2))).Select(w => (w.Start, w.End, w.Sum(x => x))))
            .Expect((7.999, (Time(3), Time(7.999), 7)), (10.5, (Time(8.5), Time(10.5), 8)));

    [Fact]
    public void Event_a_gap_behind_the_last_one_begins_another_session() =>
        Timeline.Of<double>()
            .At(0, 1).At(1.999, 2).At(3.999, 4).End()
            .Through(s => s.Window(Window.Session(Seconds(2))).Select(w => w.Sum(x => x)))
            .Expect((3.999, 3), (5.999, 4));

    [Fact]
    public void Sessions_are_joined_by_an_event_between_them() =>
        Timeline.Of<double>()
            .At(0, 1).At(3, 2).At(6, 4).At(1.5, 8).Watermark(3).At(4.75, 16).Watermark(20)
            .Through(s => s.Window(Window.Session(Seconds(2))).Select(w => (w.Start, w.Count(), w.Sum(x => x))))
            .Expect((8, (Time(0), 5, 31)));

    [Fact]
    public void Session_fires_while_nothing_more_comes_for_its_key() =>
        Timeline.Keyed()
            .At(1, "a", 1).At(1.5, "b", 2).Watermark(3).At(3.2, "b", 4).Watermark(5).Watermark(5.5)
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Session(Seconds(2))).Select(w => $"{w.Key}{w.Sum(r => r.Value)}"))
            .Expect((3, "a1"), (5.2, "b6"));

    [Fact]
    public void Event_behind_the_watermark_belongs_to_the_session_that_is_open()
    {
        var outcome = Timeline.Of<double>()
            .At(10, 1).Watermark(10).At(8.5, 2).At(7.999, 4).At(8, 8).At(8.001, 16).Watermark(20)
            .Through(s => s.Window(Window.Session(Seconds(2))).Select(w => (w.Start, w.Sum(x => x))))
            .Expect((12, (Time(8.001), 19)));
        Assert.Equal(2, outcome.LateEvents);
    }

    [Fact]
    public void Event_behind_the_watermark_whose_session_has_fired_begins_another() =>
        Timeline.Of<double>()
            .At(10, 1).Watermark(12).At(11, 2).Watermark(13)
            .Through(s => s.Window(Window.Session(Seconds(2))).Select(w => (w.Start, w.Sum(x => x))))
            .Expect((12, (Time(10), 1)), (13, (Time(11), 2)));

    [Fact]
    public void Late_events_are_those_that_no_session_takes() =>
        Timeline.Of<double>()
            .At(10, 1).Watermark(10).At(6.999, 2).At(7, 4).At(7.001, 8).At(9, 16).Watermark(20)
            .Through(s =>
            {
                s.Window(Window.Session(Seconds(2)).AllowLate(Seconds(1))).Late(out var late);
                return late;
            })
            .Expect((6.999, 2), (7, 4));

    [Fact]
    public void Late_event_lengthens_a_session_that_has_fired()
    {
        var outcome = Timeline.Of<double>()
            .At(10, 1).Watermark(12).At(11, 2).At(9.5, 4).Watermark(12.5).Watermark(13).Watermark(30)
            .Through(s => s.Window(Window.Session(Seconds(2)).AllowLate(Seconds(5))).Select(w => (w.Start, w.End, w.Sum(x => x), w.Firing, w.Revision)))
            .WithIdentity()
            .Expect((12, (Time(10), Time(12), 1, Firing.OnTime, 0)), (13, (Time(9.5), Time(13), 7, Firing.Late, 1)));
        Assert.Equal([EventKind.Insert, EventKind.Update], outcome.Rows.Select(r => r.Kind));
        Assert.Equal(outcome.Rows[0].Id, outcome.Rows[1].Id);
    }

    [Fact]
    public void Several_late_events_between_two_watermarks_are_one_correction() =>
        Timeline.Of<double>()
            .At(10, 1).Watermark(13).At(10, 2).At(9.5, 4).Watermark(13.5).At(10, 8).Watermark(14)
            .Through(s => s.Window(Window.Session(Seconds(2)).AllowLate(Seconds(5))).Select(w => w.Sum(x => x)))
            .Expect((12, 1), (12, 7), (12, 15));

    [Fact]
    public void Late_event_that_joins_two_sessions_corrects_the_earlier_and_withdraws_the_other()
    {
        var outcome = Timeline.Of<double>()
            .At(10, 1).At(13, 2).Watermark(15).At(11.5, 4).Watermark(15.5).Watermark(30)
            .Through(s => s.Window(Window.Session(Seconds(2)).AllowLate(Seconds(5))).Select(w => (w.Start, w.Sum(x => x), w.Firing)))
            .WithIdentity()
            .Expect((12, (Time(10), 1, Firing.OnTime)), (15, (Time(13), 2, Firing.OnTime)), (15, (Time(13), 2, Firing.Withdrawn)), (15, (Time(10), 7, Firing.Late)));
        Assert.Equal([EventKind.Insert, EventKind.Insert, EventKind.Retract, EventKind.Update], outcome.Rows.Select(r => r.Kind));
        Assert.Equal(outcome.Rows[0].Id, outcome.Rows[3].Id);
        Assert.Equal(outcome.Rows[1].Id, outcome.Rows[2].Id);
    }

    [Fact]
    public void Key_limit_counts_keys_with_sessions() =>
        Timeline.Keyed()
            .At(1, "a", 1).Watermark(4).At(5, "b", 2).Watermark(8).At(9, "a", 3).End()
            .Through(s => s.KeyBy(r => r.Key, maxKeys: 1).Window(Window.Session(Seconds(2))).Select(w => w.Key))
            .Expect((3, "a"), (7, "b"), (11, "a"));

    [Theory]
    [InlineData(2, false)]
    [InlineData(1, true)]
    public void Key_limit_counts_a_key_once_until_the_watermark_whatever_has_closed_before(int maxKeys, bool isOver)
    {
        var input = new Input<int>(IsInOrder: true);
        using var run = new PlanRun<int, int>(
            input, input.ToStream().KeyBy(x => x, maxKeys: maxKeys).Window(Window.Session(Seconds(1))).Select(w => w.Key).Node, shards: 1);
        run.Push([7, 8, 7, 8, 7], [TicksAt(0), TicksAt(0.5), TicksAt(2), TicksAt(4), TicksAt(6)]);
        run.Complete();
        Assert.Equal(isOver, run.Sink.Error?.InnerException is KeyLimitException);
        Assert.Equal(isOver ? 0 : 5, run.Sink.Results.Count);
    }

    [Fact]
    public void Keys_that_are_far_apart_and_then_dense_have_the_same_sessions()
    {
        const int Keys = 30_000;
        var input = new Input<int>(IsInOrder: true);
        using var run = new PlanRun<int, (int, long)>(
            input, input.ToStream().KeyBy(x => x).Window(Window.Session(Seconds(1))).Select(w => (w.Key, w.Count())).Node, shards: 1);
        int[] keys = [-1, int.MaxValue, .. Enumerable.Range(0, Keys).Select(i => i * 7919 % Keys)];
        for (int round = 0; round < 4; round++)
        {
            foreach (int[] part in keys.Skip(round == 0 ? 0 : 2).Chunk(1000))
            {
                run.Push(part, [.. part.Select((_, i) => TicksAt((5 * (round / 2)) + (0.2 * (round % 2)) + (i / 100_000.0)))]);
            }

            run.Advance(TicksAt((5 * (round / 2)) + 0.1));
        }

        run.Complete();
        Assert.Equal(keys.Select(key => (key, key is -1 or int.MaxValue ? 1L : 2L)).Concat(keys.Skip(2).Select(key => (key, 2L))).Order(), run.Sink.Results.Select(r => r.Value).Order());
    }

    [Fact]
    public void More_keys_with_sessions_than_allowed_stop_the_query() =>
        Assert.IsType<KeyLimitException>(Timeline.Keyed()
            .At(1, "a", 1).At(1, "b", 1).At(1, "c", 1).At(1, "d", 1).At(1, "e", 1).At(1, "f", 1).End()
            .Through(s => s.KeyBy(r => r.Key, maxKeys: 1).Window(Window.Session(Seconds(2))).Select(w => w.Key))
            .ExpectError().InnerException);

    [Fact]
    public void Projection_that_throws_loses_its_own_result_alone()
    {
        var outcome = Timeline.Keyed()
            .At(1, "a", 1).At(1.5, "b", 2).At(1.75, "b", 2).At(2, "c", 4).End()
            .Through(s => s.KeyBy(r => r.Key).Window(Window.Session(Seconds(2)))
                .Select(w => w.Count() > 1 ? throw new InvalidOperationException("two") : w.Key))
            .Skipping().Run();
        Assert.Equal(["a", "c"], outcome.Results.Select(r => r.Value));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(60)]
    [InlineData(900)]
    public void Long_streams_with_equal_times_and_some_events_behind_others_have_the_runs_of_each_key(int keyCount)
    {
        var random = new Random(keyCount);
        var events = new List<(int Key, long Ticks)>();
        var (ordered, closing) = (Run(isInOrder: true), Run(isInOrder: false));
        using (ordered)
        using (closing)
        {
            long now = 0, watermark = 0;
            for (int batch = 0; batch < 150; batch++)
            {
                var part = new (int Key, long Ticks)[random.Next(1, 400)];
                for (int i = 0; i < part.Length; i++)
                {
                    now += random.Next(3) * TicksAt(1) / keyCount;
                    part[i] = (random.Next(keyCount), random.Next(200) == 0 ? Math.Max(watermark, now - TicksAt(1)) : now);
                }

                events.AddRange(part);
                ordered.Push([.. part.Select(e => e.Key)], [.. part.Select(e => e.Ticks)]);
                closing.Push([.. part.Select(e => e.Key)], [.. part.Select(e => e.Ticks)]);
                if (random.Next(3) > 0)
                {
                    watermark = now;
                    ordered.Advance(watermark);
                    closing.Advance(watermark);
                }
            }

            ordered.Complete();
            closing.Complete();
        }

        var expected = events.GroupBy(e => e.Key).SelectMany(key =>
        {
            long[] times = [.. key.Select(e => e.Ticks).Order()];
            int[] starts = [.. Enumerable.Range(0, times.Length).Where(i => i == 0 || times[i] - times[i - 1] >= TicksAt(1))];
            return starts.Select((start, run) => (key.Key, times[start], (long)((run + 1 < starts.Length ? starts[run + 1] : times.Length) - start)));
        });
        Assert.Equal(expected.Order(), ordered.Sink.Results.Select(r => r.Value).Order());
        Assert.Equal(closing.Sink.Results.Select(r => r.Value), ordered.Sink.Results.Select(r => r.Value));

        static PlanRun<int, (int, long, long)> Run(bool isInOrder)
        {
            var input = new Input<int>(IsInOrder: isInOrder);
            return new PlanRun<int, (int, long, long)>(
                input, input.ToStream().KeyBy(x => x).Window(Window.Session(Seconds(1)))
                    .Select(w => (w.Key, w.Start.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks, w.Count() + (long)(w.Average(x => x) - w.Key))).Node,
                shards: 1);
        }
    }

    [Fact]
    public void A_million_keys_that_come_once_each_are_forgotten()
    {
        const int PerBatch = 4096, Batches = 250;
        var input = new Input<int>();
        using var run = new PlanRun<int, long>(
            input, input.ToStream().KeyBy(x => x, maxKeys: 3 * PerBatch).Window(Window.Session(Seconds(1))).Select(w => w.Count()).Node, shards: 1);
        int[] keys = new int[PerBatch];
        long[] ticks = new long[PerBatch];
        for (int batch = 0; batch < Batches; batch++)
        {
            for (int i = 0; i < PerBatch; i++)
            {
                (keys[i], ticks[i]) = ((batch * PerBatch) + i, TicksAt(batch));
            }

            run.Push(keys, ticks);
            run.Advance(TicksAt(batch));
        }

        run.Complete();
        Assert.Equal(PerBatch * Batches, run.Sink.Results.Count);
        Assert.Null(run.Sink.Error);
    }

    [Fact]
    public void Many_keys_lose_only_the_events_at_which_a_selector_throws()
    {
        const int Keys = 20_000;
        var input = new Input<int>();
        using var run = new PlanRun<int, (int, long)>(
            input, input.ToStream().KeyBy(x => x % Keys).Window(Window.Session(Seconds(2)))
                .Select(w => (w.Key, w.Count(), w.Sum(x => x % 10_007 == 5 ? throw new InvalidOperationException("five") : x))).Select(w => (w.Key, w.Item2)).Node,
            shards: 1, ErrorPolicy.Skip);
        var random = new Random(1);
        int[] events = [.. Enumerable.Range(0, 5 * Keys)];
        long[] ticks = [.. events.Select(_ => TicksAt(random.Next(8) / 2.0))];
        foreach (int[] part in Enumerable.Range(0, events.Length).Chunk(3000))
        {
            run.Push(events.AsSpan(part[0], part.Length), ticks.AsSpan(part[0], part.Length));
        }

        run.Complete();
        var expected = events.Where(x => x % 10_007 != 5).GroupBy(x => x % Keys).SelectMany(key => key.Select(x => ticks[x]).Order()
            .Aggregate(new List<(int, long Count, long Last)>(), (runs, time) =>
            {
                bool joins = runs.Count > 0 && time - runs[^1].Last < TicksAt(2);
                runs.Add((key.Key, joins ? runs[^1].Count + 1 : 1, time));
                if (joins)
                {
                    runs.RemoveAt(runs.Count - 2);
                }

                return runs;
            })).Select(r => (r.Item1, r.Count));
        Assert.Equal(expected.Order(), run.Sink.Results.Select(r => r.Value).Order());
        Assert.Equal(events.Count(x => x % 10_007 == 5), run.DeadLetters.Count);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void Gap_must_be_longer_than_nothing(double seconds) =>
        Assert.Throws<ArgumentOutOfRangeException>("gap", () => Window.Session(Seconds(seconds)));

    [Fact]
    public void Explain_tells_the_gap() =>
        Assert.Equal("session 00:00:02, late up to 00:00:05", Window.Session(Seconds(2)).AllowLate(Seconds(5)).ToString());
}
