using static IoT.Cep.Tests.Signs;
using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Steps over narrower types, two types in one stream, anonymous types.</summary>
public class PatternInputTests
{
    [Fact]
    public void Steps_of_narrower_types_are_read_as_such()
    {
        var draught = Pattern.Begin<Device>(out var any, e => e is Warmth { Celsius: > 20 })
            .FollowedBy<Door>(out var opened, d => d.Open)
            .FollowedBy<Warmth>(out var colder, (t, m) => t.Celsius < 18 && m.Get(opened).Open)
            .Within(Seconds(600));
        Timeline.Of<Device>().At(0, new Warmth(22)).At(1, new Door(false)).At(2, new Door(true)).At(3, new Warmth(19)).At(60, new Warmth(15)).End()
            .Through(s => s.Match(draught).Select(m => (((Warmth)m[any]).Celsius, m.Get(opened).Open, m.Get(colder).Celsius)))
            .WithoutSaving().Expect((60, (22, true, 15)));
    }

    [Fact]
    public void Narrower_types_must_not_come_either()
    {
        var closed = Pattern.Begin<Device>(out _, e => e is Warmth { Celsius: > 20 }).NotNext<Door>(d => d.Open).NotFollowedBy<Door>(d => !d.Open)
            .FollowedBy<Warmth>(out _, t => t.Celsius < 18).Within(Seconds(600));
        Timeline.Of<Device>().At(0, new Warmth(22)).At(1, new Warmth(15)).At(2, new Warmth(23)).At(3, new Door(true)).At(4, new Warmth(14)).At(5, new Warmth(24)).At(6, new Warmth(20))
            .At(7, new Door(false)).At(8, new Warmth(13)).End().Through(s => s.Match(closed).Select(m => m.End.Second)).WithoutSaving().Expect((1, 1));
    }

    [Fact]
    public void Two_unrelated_types_flow_in_one_stream()
    {
        var timeline = Timeline.Of<Either<Sign, double>>().At(1, 5.0).At(2, new Sign('x', 'a', 3)).At(3, new Sign('x', 'a', 9)).End();
        timeline.Through(s => s.Match(Pattern.Over(s).Begin<double>(out var number, x => x > 4).FollowedBy<Sign>(out var sign, (a, m) => a.Number > m.Get(number)).Within(Seconds(60)))
            .Select(m => (m.First.TryGet(out double first), m.Last.Switch(a => a.Number, x => -1), first))).Expect((3, (true, 9, 5.0)));
    }

    [Fact]
    public void Either_gives_only_what_it_has()
    {
        Either<Sign, double> two = 2.0, sign = new Sign('x', 'a', 1);
        Assert.True(two.TryGet(out double number) && number == 2.0 && !two.TryGet(out Sign _) && !two.TryGet(out string? _));
        Assert.True(sign.TryGet(out Sign it) && it.Kind == 'a' && !sign.TryGet(out double _));
        Assert.Equal(("1", "2"), (sign.Switch(s => $"{s.Number}", x => $"{x}"), two.Switch(s => "", x => $"{x}")));
    }

    [Fact]
    public void Two_types_in_one_stream_are_told_apart_without_boxing()
    {
        var input = new Input<Either<Sign, double>>();
        var stream = input.ToStream();
        var pattern = Pattern.Over(stream).Begin<double>(out var number, x => x > 4).FollowedBy<Sign>(out _, (a, m) => a.Number > m.Get(number) + 1000).Within(Seconds(1));
        using var run = new PlanRun<Either<Sign, double>, int>(input, stream.KeyBy(_ => 0).Match(pattern, m => 1).Node, shards: 1);
        var events = new Either<Sign, double>[1024];
        long[] ticks = new long[1024];
        long time = 0;
        Feed(50);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Feed(50);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        void Feed(int batches)
        {
            for (int batch = 0; batch < batches; batch++)
            {
                for (int i = 0; i < events.Length; i++)
                {
                    (events[i], ticks[i]) = (i % 3 == 0 ? i % 6 : new Sign('x', 'a', i % 7), time += 100_000);
                }

                input.Push(events, ticks);
                input.Advance(time);
            }
        }
    }

    [Fact]
    public void Anonymous_type_is_named_by_its_stream()
    {
        var timeline = Typed(new { Kind = "", Number = 0 });
        timeline.At(1, new { Kind = "a", Number = 2 }).At(2, new { Kind = "b", Number = 4 }).At(3, new { Kind = "b", Number = 5 }).End()
            .Through(s => s.Match(Pattern.Over(s).Begin(out var two, x => x.Number == 2).FollowedBy(out var five, (x, m) => x.Number == m[two].Number + 3).Within(Seconds(60)))
                .Select(m => m.Last.Number)).WithoutSaving().Expect((3, 5));
        timeline.Through(s => s.Match(Pattern.Over(s).Begin(out var all, Times.Exactly(2), (x, m) => x.Number > m.Taken.Count).Within(Seconds(60))).Select(m => m[all].Count))
            .WithoutSaving().Expect((2, 2), (3, 2));

        static Timeline<T> Typed<T>(T like) => Timeline.Of<T>();
    }

    [Fact]
    public void Out_of_order_arrival_gives_the_matches_of_the_sorted_input()
    {
        var pattern = Pattern.Begin<Sign>(out _, A).FollowedBy(out _, Times.OneOrMore, B).FollowedBy(out _, C).Within(Seconds(6));
        var absence = Pattern.Begin<Sign>(out _, A).NotFollowedBy(B).Within(Seconds(3));
        for (int seed = 0; seed < 6; seed++)
        {
            var random = new Random(seed);
            var sorted = Enumerable.Range(0, 30).Select(i => (Time: i + (random.Next(100) / 100.0), Sign: new Sign("xyz"[random.Next(3)], "abcn"[random.Next(4)], i))).ToList();
            var arriving = sorted.OrderBy(one => one.Time + (random.NextDouble() * 5)).ToList();
            foreach (var wanted in new[] { pattern, absence })
            {
                var expected = Timeline.Of<Sign>().InOrder();
                sorted.ForEach(one => expected.At(one.Time, one.Sign));
                var timeline = Timeline.Of<Sign>();
                double latest = 0;
                foreach (var (time, sign) in arriving)
                {
                    timeline.At(time, sign);
                    latest = Math.Max(latest, time);
                    timeline.Watermark(latest - 5);
                }

                var scenario = timeline.Watermark(100).End().Through(s => s.KeyBy(x => x.Key).Match(wanted).Select(Text));
                var outcome = (seed == 0 ? scenario : scenario.WithoutSaving()).Run();
                Assert.Equal(0, outcome.LateEvents);
                Assert.Equal(expected.Watermark(100).End().Through(s => s.KeyBy(x => x.Key).Match(wanted).Select(Text)).WithoutSaving().Run().Results, outcome.Results);
            }
        }
    }

    private abstract record Device;

    private sealed record Door(bool Open) : Device;

    private sealed record Warmth(double Celsius) : Device;
}
