namespace IoT.Cep.Generators.Tests;

/// <summary>Windows of the tests' own, with every kind of aggregate; they stand in front of the library's.</summary>
internal static class StandInWindows
{
    internal const string Source = """
        #pragma warning disable CS0436
        namespace IoT.Cep
        {
            using System;
            public interface IWindowedStream<TKey, T>;
            public readonly ref struct WindowGroup<TKey, T>
            {
                public TKey Key => default!;
                public long Count() => 0;
                public double Max(Func<T, double> value, string text = "") => 0;
                public double Sum(Func<T, double> value, string text = "") => 0;
                public double Min(Func<T, double> value, string text = "") => 0;
                public double Average(Func<T, double> value, string text = "") => 0;
                public V MaxOf<V>(Func<T, V> value, string text = "") => default!;
                public int DistinctCount<V>(Func<T, V> value, string text = "") => 0;
            }
            public static class WindowAggregates
            {
                public static double Variance<TKey, T>(this WindowGroup<TKey, T> w, Func<T, double> value, string text = "") => 0;
                public static double StandardDeviation<TKey, T>(this WindowGroup<TKey, T> w, Func<T, double> value, string text = "") => 0;
                public static double Quantile<TKey, T>(this WindowGroup<TKey, T> w, Func<T, double> value, double part, int maxValues = 10, string text = "") => 0;
                public static double Median<TKey, T>(this WindowGroup<TKey, T> w, Func<T, double> value, int maxValues = 10, string text = "") => 0;
            }
            public static class WindowVerbs
            {
                public static IObservable<R> Select<TKey, T, R>(this IWindowedStream<TKey, T> w, Func<WindowGroup<TKey, T>, R> result) => null!;
                public static IObservable<R> SelectUpdates<TKey, T, R>(this IWindowedStream<TKey, T> w, Func<WindowGroup<TKey, T>, R> result) => null!;
            }
        }
        """;
}
