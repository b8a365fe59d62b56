using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace IoT.Cep;

/// <summary>An event of one of two unrelated types, so that both can flow in one stream: patterns then tell them apart without boxing.</summary>
/// <typeparam name="TFirst">One type.</typeparam>
/// <typeparam name="TSecond">The other.</typeparam>
public readonly record struct Either<TFirst, TSecond>
{
    private readonly TFirst _first;
    private readonly TSecond _second;
    private readonly bool _isSecond;

    private Either(TFirst first, TSecond second, bool isSecond)
    {
        _first = first;
        _second = second;
        _isSecond = isSecond;
    }

    /// <summary>Of the first type.</summary>
    /// <param name="value">The event.</param>
    public static implicit operator Either<TFirst, TSecond>(TFirst value) => new(value, default!, isSecond: false);

    /// <summary>Of the second type.</summary>
    /// <param name="value">The event.</param>
    public static implicit operator Either<TFirst, TSecond>(TSecond value) => new(default!, value, isSecond: true);

    /// <summary>The event, if it is of that type.</summary>
    /// <typeparam name="TCase">One of the two types.</typeparam>
    /// <param name="value">The event.</param>
    public bool TryGet<TCase>([MaybeNullWhen(false)] out TCase value)
    {
        if (!_isSecond && typeof(TCase) == typeof(TFirst))
        {
            var first = _first;
            value = Unsafe.As<TFirst, TCase>(ref first);
            return true;
        }

        if (_isSecond && typeof(TCase) == typeof(TSecond))
        {
            var second = _second;
            value = Unsafe.As<TSecond, TCase>(ref second);
            return true;
        }

        value = default;
        return false;
    }

    /// <summary>What one of two functions makes of it.</summary>
    /// <typeparam name="TResult">The result's type.</typeparam>
    /// <param name="first">Called with an event of the first type.</param>
    /// <param name="second">Called with an event of the second type.</param>
    public TResult Switch<TResult>(Func<TFirst, TResult> first, Func<TSecond, TResult> second)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        return _isSecond ? second(_second) : first(_first);
    }
}

/// <summary>Looks for a narrower type in an event. A cast of an <see cref="Either{TFirst, TSecond}"/> to an interface would box it; a call on the known type does not.</summary>
internal abstract class Cases<T>
{
    /// <summary>Set where a pattern is begun over a stream of such events; all others are tested for their type.</summary>
    internal static Cases<T>? Known { get; set; }

    internal static bool TryGet<TCase>(in T value, [MaybeNullWhen(false)] out TCase found)
    {
        if (Known is { } known)
        {
            return known.Find(in value, out found);
        }

        if (value is TCase one)
        {
            found = one;
            return true;
        }

        found = default;
        return false;
    }

    protected abstract bool Find<TCase>(in T value, [MaybeNullWhen(false)] out TCase found);
}

internal sealed class EitherCases<TFirst, TSecond> : Cases<Either<TFirst, TSecond>>
{
    protected override bool Find<TCase>(in Either<TFirst, TSecond> value, [MaybeNullWhen(false)] out TCase found) => value.TryGet(out found);
}
