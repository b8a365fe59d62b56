using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <content>
/// Least and greatest values of any type. They stand beside those of numbers, not in an extension: <c>r =&gt; r.Celsius</c> then takes the
/// one of doubles, which shares the state of sum and average, and any other type keeps its own.
/// </content>
public readonly ref partial struct WindowGroup<TKey, T>
{
    /// <summary>
    /// The least value of any comparable type. Text is compared by its code units, as <see cref="StringComparison.Ordinal"/>, so that a result is the same
    /// on every machine. Null is no value: the result is null where all are. A NaN makes it NaN.
    /// </summary>
    /// <typeparam name="TValue">The value's type.</typeparam>
    /// <param name="value">The value of an event.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public TValue Min<TValue>(Func<T, TValue> value, [CallerArgumentExpression(nameof(value))] string text = "")
        where TValue : IComparable<TValue>? =>
        Result<TValue, Extreme<TValue, Least>, Untimed<TValue, Extreme<TValue, Least>>>(default, value, text).Value;

    /// <summary>
    /// The greatest value of any comparable type. Text is compared by its code units, as <see cref="StringComparison.Ordinal"/>, so that a result is the
    /// same on every machine. Null is no value: the result is null where all are. A NaN makes it NaN.
    /// </summary>
    /// <typeparam name="TValue">The value's type.</typeparam>
    /// <param name="value">The value of an event.</param>
    /// <param name="text">The selector's source text; the compiler fills it in.</param>
    public TValue Max<TValue>(Func<T, TValue> value, [CallerArgumentExpression(nameof(value))] string text = "")
        where TValue : IComparable<TValue>? =>
        Result<TValue, Extreme<TValue, Greatest>, Untimed<TValue, Extreme<TValue, Greatest>>>(default, value, text).Value;
}
