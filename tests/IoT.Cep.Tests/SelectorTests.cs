using static IoT.Cep.Tests.Span;

namespace IoT.Cep.Tests;

/// <summary>Which selectors of a projection are one.</summary>
public class SelectorTests
{
    private static readonly Func<Reading, double>[] _both = [r => r.Value, r => r.Key.Length];

    [Fact]
    public void Variables_of_one_name_that_hold_other_functions_are_other_selectors() =>
        Rows().Through(s => s.KeyBy(r => r.Key).Window(Window.Tumbling(Seconds(10))).Select(w => $"{Average(w, r => r.Value)} {Average(w, r => r.Key.Length)}"))
            .Expect((10, "15 2"));

    [Fact]
    public void Elements_of_an_array_are_other_selectors() =>
        Rows().Through(s => s.KeyBy(r => r.Key).Window(Window.Hopping(Seconds(10), Seconds(10))).Select(w => $"{Sum(w, 0)} {Sum(w, 1)}")).Expect((10, "30 4"));

    [Fact]
    public void Accumulators_of_variables_that_hold_other_functions_are_other_accumulators() =>
        Rows().Through(s => s.KeyBy(r => r.Key).Window(Window.Sliding(Seconds(10))).Select(w => $"{Median(w, r => r.Value)} {Median(w, r => r.Key.Length)}"))
            .Expect((1, "10 2"), (2, "15 2"));

    [Fact]
    public void Keys_of_several_parts_need_no_codec_to_run()
    {
        Rows().Through(s => s.KeyBy(r => (r.Key, Long: r.Value > 0)).Window(Window.Tumbling(Seconds(10))).Select(w => w.Count())).WithoutSaving().Expect((10, 2L));
        Rows().Through(s => s.KeyBy(r => (r.Key, Long: r.Value > 0)).Window(Window.Hopping(Seconds(10), Seconds(10))).Select(w => w.Count())).WithoutSaving().Expect((10, 2L));
        Rows().Through(s => s.KeyBy(r => (r.Key, Long: r.Value > 0)).Window(Window.Sliding(Seconds(10))).Select(w => w.Count())).WithoutSaving().Expect((1, 1L), (2, 2L));
    }

    private static Timeline<Reading> Rows() => Timeline.Keyed().Watermark(0).At(1, "aa", 10).At(2, "aa", 20).End();

    private static double Average(WindowGroup<string, Reading> w, Func<Reading, double> f) => w.Average(f);

    private static double Median(WindowGroup<string, Reading> w, Func<Reading, double> f) => w.Median(f);

    private static double Sum(WindowGroup<string, Reading> w, int place) => w.Sum(_both[place]);
}
