namespace IoT.Cep.Generators.Tests;

/// <summary>Rx's verbs that would leave event time, and ours after they did: each names the remedy.</summary>
public sealed class StreamMisuseTests
{
    private const string LostTime = "'An Rx operator before this one dropped the event time. Do the Rx part after the event-stream verbs, "
        + "or call .ToEventStream(e => e.Time) again.'";

    [Fact]
    public async Task Throttle_names_what_keeps_to_event_time() => Assert.Equal(
        ["(1,1): error CS0619: 'EventStreamGuards.Throttle<T>(IEventStream<T>, TimeSpan)' is obsolete: 'Rx's Throttle waits for silence on the wall "
            + "clock. Keep to event time with KeyBy(...).Silent(...) or a window, or use .AsObservable().Throttle(...).'"],
        await CompileErrors.Of("s.Throttle(TimeSpan.FromSeconds(1));"));

    [Fact]
    public async Task Buffer_by_the_wall_clock_names_the_window() => Assert.Equal(
        ["(1,1): error CS0619: 'EventStreamGuards.Buffer<T>(IEventStream<T>, TimeSpan)' is obsolete: 'Rx's Buffer(TimeSpan) cuts by the wall clock. "
            + "Use Window(Window.Tumbling(span)), or .AsObservable().Buffer(...).'"],
        await CompileErrors.Of("s.Buffer(TimeSpan.FromSeconds(1));"));

    [Fact]
    public async Task Window_by_the_wall_clock_names_the_window() => Assert.Equal(
        ["(1,1): error CS0619: 'EventStreamGuards.Window<T>(IEventStream<T>, TimeSpan)' is obsolete: 'Rx's Window(TimeSpan) cuts by the wall clock. "
            + "Use Window(Window.Tumbling(span)), or .AsObservable().Window(...).'"],
        await CompileErrors.Of("s.Window(TimeSpan.FromSeconds(1));"));

    [Fact]
    public async Task Group_by_names_key_by() => Assert.Equal(
        ["(1,21): error CS0619: 'EventStreamGuards.GroupBy<T, TKey>(IEventStream<T>, Func<T, TKey>)' is obsolete: 'Rx's groups know no event time. "
            + "Use KeyBy(...), or .AsObservable().GroupBy(...).'"],
        await CompileErrors.Of("var q = from r in s group r by r.Sensor;"));

    [Theory]
    [InlineData("s.Distinct().KeyBy(r => r.Sensor);")]
    [InlineData("s.Merge(Observable.Empty<Reading>()).KeyBy(r => r.Sensor);")]
    public async Task Key_by_after_rx_says_that_event_time_was_lost(string line) => Assert.Equal(
        [$"(1,1): error CS0619: 'EventStreamGuards.KeyBy<T, TKey>(IObservable<T>, Func<T, TKey>)' is obsolete: {LostTime}"],
        await CompileErrors.Of(line));

    [Fact]
    public async Task Window_after_rx_says_that_event_time_was_lost() => Assert.Equal(
        [$"(1,1): error CS0619: 'EventStreamGuards.Window<T>(IObservable<T>, WindowSpec)' is obsolete: {LostTime}"],
        await CompileErrors.Of("s.Distinct().Window(Window.Tumbling(TimeSpan.FromSeconds(1)));"));

    [Fact]
    public async Task Match_after_rx_says_that_event_time_was_lost() => Assert.Equal(
        [$"(1,1): error CS0619: 'EventStreamGuards.Match<T>(IObservable<T>, Pattern<T>)' is obsolete: {LostTime}"],
        await CompileErrors.Of("s.Distinct().Match((Pattern<Reading>)null!);"));

    [Fact]
    public async Task Enrich_after_rx_says_that_event_time_was_lost() => Assert.Equal(
        ["(1,1): error CS0619: 'EventStreamGuards.Enrich<T, TKey, TRow, TResult>(IObservable<T>, ITable<TKey, TRow>, Func<T, TKey>, "
            + $"Func<T, TRow?, TResult>)' is obsolete: {LostTime}"],
        await CompileErrors.Of("s.Distinct().Enrich(new Table<string, Summary>(), r => r.Sensor, (r, row) => row?.Max);"));

    [Fact]
    public async Task Silent_after_rx_says_that_event_time_was_lost() => Assert.Equal(
        [$"(1,1): error CS0619: 'EventStreamGuards.Silent<T>(IObservable<T>, TimeSpan)' is obsolete: {LostTime}"],
        await CompileErrors.Of("s.Distinct().Silent(TimeSpan.FromSeconds(1));"));

    [Fact]
    public async Task Silent_without_a_key_names_key_by() => Assert.Equal(
        ["(1,1): error CS0619: 'EventStreamGuards.Silent<T>(IEventStream<T>, TimeSpan)' is obsolete: 'Silent watches each key apart: say which with "
            + "KeyBy(e => e.Device) before it.'"],
        await CompileErrors.Of("s.Silent(TimeSpan.FromSeconds(1));"));

    [Fact]
    public async Task A_sink_after_rx_is_told_where_it_belongs() => Assert.Equal(
        ["(1,1): error CS0619: 'EventStreamGuards.To<T>(IObservable<T>, ISink<T>)' is obsolete: 'An Rx operator before this one left the event stream. "
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
    [InlineData("s.Buffer(2).Subscribe(pair => { });")]
    [InlineData("s.Distinct().ToEventStream(r => r.Time).KeyBy(r => r.Sensor);")]
    public async Task The_remedies_compile(string line) => Assert.Empty(await CompileErrors.Of(line));
}
