namespace IoT.Cep.Generators.Tests;

/// <summary>Rx's verbs that would leave event time, and ours after they did: each names the remedy.</summary>
public sealed class StreamMisuseTests
{
    private const string LostTime = "'An Rx operator before this one dropped the event time. Do the Rx part after the event-stream verbs, "
        + "or call .ToEventStream(e => e.Time) again.'";

    [Fact]
    public async Task Throttle_names_what_keeps_to_event_time() => Assert.Equal(
        ["(1,1): error CS0619: 'EventStreamGuards.Throttle<T>(IEventStream<T>, TimeSpan, IScheduler?)' is obsolete: 'Rx's Throttle waits for silence on the wall "
            + "clock. Use Debounce(quiet) or AtMostOncePer(interval) in event time, or .AsObservable().Throttle(...).'"],
        await CompileErrors.Of("s.Throttle(TimeSpan.FromSeconds(1));"));

    [Fact]
    public async Task Buffer_by_the_wall_clock_names_the_window() => Assert.Equal(
        ["(1,1): error CS0619: 'EventStreamGuards.Buffer<T>(IEventStream<T>, TimeSpan, IScheduler?)' is obsolete: 'Rx's Buffer(TimeSpan) cuts by the wall clock. "
            + "Use Window(Window.Tumbling(span)), or .AsObservable().Buffer(...).'"],
        await CompileErrors.Of("s.Buffer(TimeSpan.FromSeconds(1));"));

    [Fact]
    public async Task Window_by_the_wall_clock_names_the_window() => Assert.Equal(
        ["(1,1): error CS0619: 'EventStreamGuards.Window<T>(IEventStream<T>, TimeSpan, IScheduler?)' is obsolete: 'Rx's Window(TimeSpan) cuts by the wall clock. "
            + "Use Window(Window.Tumbling(span)), or .AsObservable().Window(...).'"],
        await CompileErrors.Of("s.Window(TimeSpan.FromSeconds(1));"));

    [Theory]
    [InlineData("s.Buffer(TimeSpan.FromSeconds(1), 5);", "Rx's Buffer(TimeSpan, count) cuts by the wall clock. Use Window(Window.Tumbling(span))")]
    [InlineData("s.Buffer(TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(1));", "Rx's Buffer(TimeSpan, TimeSpan) cuts by the wall clock. Use a window")]
    [InlineData("s.Window(TimeSpan.FromSeconds(1), 5);", "Rx's Window(TimeSpan, count) cuts by the wall clock. Use Window(Window.Tumbling(span))")]
    [InlineData("s.Window(TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(1));", "Rx's Window(TimeSpan, TimeSpan) cuts by the wall clock. Use a window")]
    [InlineData("s.Timeout(TimeSpan.FromSeconds(1));", "Rx's Timeout waits on the wall clock. Use KeyBy(...).Silent(span) in event time")]
    [InlineData("s.Delay(TimeSpan.FromSeconds(1));", "Rx's Delay waits on the wall clock, and event time does not move with it")]
    [InlineData("s.Timestamp();", "Rx's Timestamp gives the wall clock's time. The event's own time is a member of the event")]
    [InlineData("s.TimeInterval();", "Rx's TimeInterval measures the wall clock. Use WithPrevious(")]
    [InlineData("s.Take(TimeSpan.FromSeconds(1));", "Rx's Take(TimeSpan) measures the wall clock")]
    [InlineData("s.Skip(TimeSpan.FromSeconds(1));", "Rx's Skip(TimeSpan) measures the wall clock")]
    [InlineData("s.TakeLast(TimeSpan.FromSeconds(1));", "Rx's TakeLast(TimeSpan) measures the wall clock")]
    [InlineData("s.SkipLast(TimeSpan.FromSeconds(1));", "Rx's SkipLast(TimeSpan) measures the wall clock")]
    [InlineData("s.Scan((a, b) => b);", "Give a seed: Scan(seed, (state, e) => ...)")]
    [InlineData("s.Sample(TimeSpan.FromSeconds(1), System.Reactive.Concurrency.Scheduler.Default);", "Use Sample(every) in event time")]
    [InlineData("s.Throttle(TimeSpan.FromSeconds(1), System.Reactive.Concurrency.Scheduler.Default);", "Use Debounce(quiet) or AtMostOncePer(interval)")]
    [InlineData("s.Timeout(TimeSpan.FromSeconds(1), Observable.Empty<Reading>());", "Use KeyBy(...).Silent(span) in event time")]
    [InlineData("s.DelaySubscription(TimeSpan.FromSeconds(1));", "Rx's DelaySubscription waits on the wall clock")]
    [InlineData("s.TakeUntil(DateTimeOffset.MaxValue);", "Use Where on the event's time")]
    [InlineData("s.Replay(TimeSpan.FromSeconds(1));", "Rx's Replay(TimeSpan) keeps events by the wall clock")]
    [InlineData("s.GroupBy(r => r.Sensor, r => r.Celsius);", "Use KeyBy(...)")]
    public async Task Wall_clock_verbs_of_rx_name_their_like_in_event_time(string line, string remedy)
    {
        foreach (string call in new[] { line, line.Replace("s.", "k.", StringComparison.Ordinal) })
        {
            string error = Assert.Single(await CompileErrors.Of(call));
            Assert.Contains("error CS0619", error, StringComparison.Ordinal);
            Assert.Contains(remedy, error, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("s.Distinct().Debounce(TimeSpan.FromSeconds(1));")]
    [InlineData("s.Distinct().AtMostOncePer(TimeSpan.FromSeconds(1));")]
    [InlineData("s.Distinct().Deduplicate(r => r.Sensor, TimeSpan.FromSeconds(1));")]
    [InlineData("s.Distinct().WithPrevious((a, b) => b);")]
    [InlineData("s.Distinct().Reorder();")]
    [InlineData("s.Distinct().Split(r => r.Celsius > 5, out var rest);")]
    [InlineData("s.Distinct().DeadBand(r => r.Celsius, 0.5, atLeastEvery: TimeSpan.FromHours(1));")]
    [InlineData("s.Distinct().FillGaps(TimeSpan.FromSeconds(1), r => r.Celsius, TimeSpan.FromSeconds(9));")]
    [InlineData("s.Distinct().WithEventTime(r => r.Time, maxDisorder: TimeSpan.FromSeconds(2));")]
    [InlineData("s.Distinct().TimelinePerKey(forgetAfter: TimeSpan.FromHours(1));")]
    [InlineData("s.Distinct().Window(Window.Between<Reading>(r => r.Celsius > 5, r => r.Celsius < 5, TimeSpan.FromHours(1)));")]
    [InlineData("s.Distinct().Union(s);")]
    public async Task Verbs_of_event_time_after_rx_say_that_it_was_lost(string line)
    {
        string error = Assert.Single(await CompileErrors.Of(line));
        Assert.Contains("error CS0619", error, StringComparison.Ordinal);
        Assert.Contains(LostTime, error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("IEventStream<Reading> x = s.Sample(TimeSpan.FromSeconds(1));")]
    [InlineData("IEventStream<Reading> x = s.DistinctUntilChanged();")]
    [InlineData("IEventStream<Reading> x = s.DistinctUntilChanged(r => r.Celsius);")]
    [InlineData("IEventStream<Reading> x = s.DistinctUntilChanged(r => r.Sensor, StringComparer.Ordinal);")]
    [InlineData("IEventStream<Reading> x = s.DistinctUntilChanged(EqualityComparer<Reading>.Default);")]
    [InlineData("IEventStream<int> x = s.Scan(0, (n, r) => n + 1);")]
    [InlineData("IEventStream<(int N, double Max)> x = k.Scan((N: 0, Max: 0.0), (a, r) => (a.N + 1, Math.Max(a.Max, r.Celsius)));")]
    [InlineData("IEventStream<string> x = k.Scan(0, (n, r) => n + 1, (r, n) => r.Sensor + n);")]
    [InlineData("IEventStream<Reading> x = s.Debounce(TimeSpan.FromSeconds(1)).AtMostOncePer(TimeSpan.FromSeconds(1)).Deduplicate(r => r.Sensor, TimeSpan.FromSeconds(1));")]
    [InlineData("IKeyedStream<string, Reading> x = k.Sample(TimeSpan.FromSeconds(1)).DistinctUntilChanged().DistinctUntilChanged(r => r.Celsius);")]
    [InlineData("IKeyedStream<string, Reading> x = k.Debounce(TimeSpan.FromSeconds(1)).AtMostOncePer(TimeSpan.FromSeconds(1), Keep.Last).Deduplicate(r => r.Celsius, TimeSpan.FromSeconds(1)).Reorder();")]
    [InlineData("IKeyedStream<string, Reading> x = k.Reorder(out var late).Split(r => r.Celsius > 5, out var rest); rest.Reorder(); late.Debounce(TimeSpan.FromSeconds(1));")]
    [InlineData("IEventStream<double> x = k.WithPrevious((previous, current) => current.Celsius - previous.Celsius);")]
    [InlineData("IEventStream<double> x = k.WithPrevious(3, (previous, current) => previous.Length == 3 ? current.Celsius - previous[^1].Celsius : 0);")]
    public async Task Names_that_rx_has_too_stay_in_event_time_and_keep_the_key(string line) => Assert.Empty(await CompileErrors.Of(line));

    [Fact]
    public async Task Group_by_names_key_by() => Assert.Equal(
        ["(1,21): error CS0619: 'EventStreamGuards.GroupBy<T, TKey>(IEventStream<T>, Func<T, TKey>, IEqualityComparer<TKey>?)' is obsolete: 'Rx's groups know no event time. "
            + "Use KeyBy(...), or .AsObservable().GroupBy(...).'"],
        await CompileErrors.Of("var q = from r in s group r by r.Sensor;"));

    [Theory]
    [InlineData("s.Distinct().KeyBy(r => r.Sensor);")]
    [InlineData("s.Merge(Observable.Empty<Reading>()).KeyBy(r => r.Sensor);")]
    public async Task Key_by_after_rx_says_that_event_time_was_lost(string line) => Assert.Equal(
        [$"(1,1): error CS0619: 'EventStreamGuards.KeyBy<T, TKey>(IObservable<T>, Func<T, TKey>, int, WhenKeysFull)' is obsolete: {LostTime}"],
        await CompileErrors.Of(line));

    [Fact]
    public async Task Window_after_rx_says_that_event_time_was_lost() => Assert.Equal(
        [$"(1,1): error CS0619: 'EventStreamGuards.Window<T>(IObservable<T>, WindowSpec)' is obsolete: {LostTime}"],
        await CompileErrors.Of("s.Distinct().Window(Window.Tumbling(TimeSpan.FromSeconds(1)));"));

    [Fact]
    public async Task Match_after_rx_says_that_event_time_was_lost() => Assert.Equal(
        [$"(1,1): error CS0619: 'EventStreamGuards.Match<T>(IObservable<T>, Pattern<T>, int, WhenMatchesFull, int)' is obsolete: {LostTime}"],
        await CompileErrors.Of("s.Distinct().Match((Pattern<Reading>)null!);"));

    [Fact]
    public async Task Enrich_after_rx_says_that_event_time_was_lost() => Assert.Equal(
        ["(1,1): error CS0619: 'EventStreamGuards.Enrich<T, TKey, TRow, TResult>(IObservable<T>, ITable<TKey, TRow>, Func<T, TKey>, "
            + $"Func<T, TRow?, TResult>)' is obsolete: {LostTime}"],
        await CompileErrors.Of("s.Distinct().Enrich(new Table<string, Summary>(), r => r.Sensor, (r, row) => row?.Max);"));

    [Fact]
    public async Task Silent_after_rx_says_that_event_time_was_lost() => Assert.Equal(
        [$"(1,1): error CS0619: 'EventStreamGuards.Silent<T>(IObservable<T>, TimeSpan, TimeSpan?)' is obsolete: {LostTime}"],
        await CompileErrors.Of("s.Distinct().Silent(TimeSpan.FromSeconds(1));"));

    [Fact]
    public async Task Silent_without_a_key_names_key_by() => Assert.Equal(
        ["(1,1): error CS0619: 'EventStreamGuards.Silent<T>(IEventStream<T>, TimeSpan, TimeSpan?)' is obsolete: 'Silent watches each key apart: say which with "
            + "KeyBy(e => e.Device) before it.'"],
        await CompileErrors.Of("s.Silent(TimeSpan.FromSeconds(1));"));

    [Fact]
    public async Task A_sink_after_rx_is_told_where_it_belongs() => Assert.Equal(
        ["(1,1): error CS0619: 'EventStreamGuards.To<T>(IObservable<T>, ISink<T>, string?, ErrorPolicy?)' is obsolete: 'An Rx operator before this one left the event stream. "
            + "Put To(...) before the Rx part, or Subscribe to the observable.'"],
        await CompileErrors.Of("s.Distinct().To((IoT.Cep.Extensibility.ISink<Reading>)null!);"));

    [Fact]
    public async Task A_typo_in_a_condition_is_one_message_beside_rx() => Assert.Equal(
        ["(1,16): error CS1061: 'Reading' does not contain a definition for 'Celsus' and no accessible extension method 'Celsus' accepting a first "
            + "argument of type 'Reading' could be found (are you missing a using directive or an assembly reference?)"],
        await CompileErrors.Of("s.Where(r => r.Celsus > 5);"));

    [Fact]
    public async Task A_row_that_may_be_missing_is_a_warning_where_that_is_forgotten() => Assert.Equal(
        ["(1,67): warning CS8602: Dereference of a possibly null reference."],
        await CompileErrors.Of("s.Enrich(new Table<string, Summary>(), r => r.Sensor, (r, row) => row.Max).Subscribe(x => { });"));

    [Theory]
    [InlineData("s.Where(r => r.Celsius > 5).KeyBy(r => r.Sensor).Window(Window.Tumbling(TimeSpan.FromSeconds(1))).Select(w => w.Count());")]
    [InlineData("s.Window(Window.Tumbling(TimeSpan.FromSeconds(1))).Select(w => w.Max(r => r.Celsius));")]
    [InlineData("var q = from r in s let c = r.Celsius where c > 5 select (r.Sensor, c);")]
    [InlineData("k.Where(r => r.Celsius > 5).Silent(TimeSpan.FromSeconds(1));")]
    [InlineData("s.Enrich(new Table<string, Summary>(), r => r.Sensor, (r, row) => row?.Max);")]
    [InlineData("s.AsObservable().Throttle(TimeSpan.FromSeconds(1));")]
    [InlineData("s.AsObservable().Sample(TimeSpan.FromSeconds(1), System.Reactive.Concurrency.Scheduler.Default);")]
    [InlineData("s.KeyBy(r => r.Sensor).FillGaps(TimeSpan.FromSeconds(1), r => r.Celsius, TimeSpan.FromSeconds(9));")]
    [InlineData("s.Buffer(2).Subscribe(pair => { });")]
    [InlineData("s.Distinct().ToEventStream(r => r.Time).KeyBy(r => r.Sensor);")]
    public async Task The_remedies_compile(string line) => Assert.Empty(await CompileErrors.Of(line));
}
