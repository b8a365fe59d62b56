using System.Globalization;
using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>Reads a field of an event without copying the event.</summary>
/// <typeparam name="T">The event's type.</typeparam>
/// <typeparam name="TValue">The field's type.</typeparam>
/// <param name="value">The event.</param>
public delegate TValue FieldGetter<T, out TValue>(in T value);

/// <summary>
/// A typed handle of one field of an event type; the source generator makes them (<c>Reading.Fields.Celsius</c>). Comparing it
/// gives a <see cref="Predicate{T}"/>, a value that can be printed, indexed, shared and saved, which a lambda can't.
/// </summary>
/// <typeparam name="T">The event's type.</typeparam>
/// <typeparam name="TValue">The field's type.</typeparam>
/// <param name="name">The field's name.</param>
/// <param name="get">Reads it.</param>
public sealed class Field<T, TValue>(string name, FieldGetter<T, TValue> get)
    where TValue : IComparable<TValue>, IEquatable<TValue>
{
    /// <summary>The field's name.</summary>
    public string Name => name;

    /// <summary>Reads the field.</summary>
    public FieldGetter<T, TValue> Get => get;

    /// <summary>True where the field is greater.</summary>
    /// <param name="field">The field.</param>
    /// <param name="value">The value.</param>
    public static Predicate<T> operator >(Field<T, TValue> field, TValue value) => Compare(field, ">", value);

    /// <summary>True where the field is less.</summary>
    /// <param name="field">The field.</param>
    /// <param name="value">The value.</param>
    public static Predicate<T> operator <(Field<T, TValue> field, TValue value) => Compare(field, "<", value);

    /// <summary>True where the field is greater or equal.</summary>
    /// <param name="field">The field.</param>
    /// <param name="value">The value.</param>
    public static Predicate<T> operator >=(Field<T, TValue> field, TValue value) => Compare(field, ">=", value);

    /// <summary>True where the field is less or equal.</summary>
    /// <param name="field">The field.</param>
    /// <param name="value">The value.</param>
    public static Predicate<T> operator <=(Field<T, TValue> field, TValue value) => Compare(field, "<=", value);

    /// <summary>True where the field equals the value.</summary>
    /// <param name="value">The value.</param>
    public Predicate<T> Is(TValue value) => Compare(this, "==", value);

    /// <summary>True where the field differs from the value.</summary>
    /// <param name="value">The value.</param>
    public Predicate<T> IsNot(TValue value) => Compare(this, "!=", value);

    /// <inheritdoc/>
    public override string ToString() => name;

    private static Predicate<T> Compare(Field<T, TValue> field, string comparison, TValue value)
    {
        ArgumentNullException.ThrowIfNull(field);
        var get = field.Get;
        string text = $"{field.Name} {comparison} {Literal(value)}";

        // The language's comparisons, so that NaN is neither greater, nor less, nor equal, as in a lambda.
        if (typeof(TValue) == typeof(double))
        {
            var number = (FieldGetter<T, double>)(object)get;
            double limit = (double)(object)value;
            return comparison switch
            {
                ">" => new Predicate<T>(text, (in e) => number(in e) > limit),
                "<" => new Predicate<T>(text, (in e) => number(in e) < limit),
                ">=" => new Predicate<T>(text, (in e) => number(in e) >= limit),
                "<=" => new Predicate<T>(text, (in e) => number(in e) <= limit),
                "==" => new Predicate<T>(text, (in e) => number(in e) == limit),
                _ => new Predicate<T>(text, (in e) => number(in e) != limit),
            };
        }

        return comparison switch
        {
            ">" => new Predicate<T>(text, (in e) => Order(get(in e), value) > 0),
            "<" => new Predicate<T>(text, (in e) => Order(get(in e), value) < 0),
            ">=" => new Predicate<T>(text, (in e) => Order(get(in e), value) >= 0),
            "<=" => new Predicate<T>(text, (in e) => Order(get(in e), value) <= 0),
            "==" => new Predicate<T>(text, (in e) => EqualityComparer<TValue>.Default.Equals(get(in e), value)),
            _ => new Predicate<T>(text, (in e) => !EqualityComparer<TValue>.Default.Equals(get(in e), value)),
        };
    }

    // Text is compared by code unit, so that a predicate means the same on every machine.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Order(TValue left, TValue right) => typeof(TValue) == typeof(string)
        ? string.CompareOrdinal((string?)(object?)left, (string?)(object?)right)
        : Comparer<TValue>.Default.Compare(left, right);

    private static string Literal(TValue value) => value switch
    {
        string text => "\"" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal) + "\"",
        bool flag => flag ? "true" : "false",
        IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };
}

/// <summary>Decides on an event without copying it.</summary>
/// <typeparam name="T">The event's type.</typeparam>
/// <param name="value">The event.</param>
public delegate bool EventTest<T>(in T value);

/// <summary>A condition on one event that is a value: it prints as text and combines with <c>&amp;</c>, <c>|</c> and <c>!</c>.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public sealed class Predicate<T>
{
    private readonly string _text;

    internal Predicate(string text, EventTest<T> test)
    {
        _text = text;
        Test = test;
    }

    /// <summary>Decides on an event.</summary>
    public EventTest<T> Test { get; }

    /// <summary>True where both are.</summary>
    /// <param name="left">One.</param>
    /// <param name="right">The other; not asked where the first is false.</param>
    public static Predicate<T> operator &(Predicate<T> left, Predicate<T> right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        EventTest<T> a = left.Test, b = right.Test;
        return new Predicate<T>($"({left} && {right})", (in e) => a(in e) && b(in e));
    }

    /// <summary>True where one is.</summary>
    /// <param name="left">One.</param>
    /// <param name="right">The other; not asked where the first is true.</param>
    public static Predicate<T> operator |(Predicate<T> left, Predicate<T> right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        EventTest<T> a = left.Test, b = right.Test;
        return new Predicate<T>($"({left} || {right})", (in e) => a(in e) || b(in e));
    }

    /// <summary>True where the other is false.</summary>
    /// <param name="predicate">The other.</param>
    public static Predicate<T> operator !(Predicate<T> predicate)
    {
        ArgumentNullException.ThrowIfNull(predicate);
        var test = predicate.Test;
        return new Predicate<T>($"!({predicate})", (in e) => !test(in e));
    }

    /// <summary>As a function: where a pattern's step takes one, it takes a predicate too.</summary>
    /// <param name="predicate">The predicate.</param>
    public static implicit operator Func<T, bool>(Predicate<T> predicate)
    {
        ArgumentNullException.ThrowIfNull(predicate);
        return predicate.ToFunc();
    }

    /// <summary>As a function.</summary>
    public Func<T, bool> ToFunc() => IsTrueFor;

    private bool IsTrueFor(T value) => Test(in value);

    /// <summary>The condition as text.</summary>
    public override string ToString() => _text;
}
