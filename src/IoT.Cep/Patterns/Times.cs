namespace IoT.Cep;

/// <summary>How many events a repeated step takes, or how often a repeated group occurs.</summary>
public readonly record struct Times
{
    /// <summary>The most that a bound may be: each count up to it is a state of its own.</summary>
    public const int MaxBound = 10_000;

    private Times(int min, int? max, bool orNone)
    {
        Min = min;
        Max = max;
        IsOptional = orNone;
    }

    /// <summary>At most one. <c>m[step]</c> is a list of none or one: <c>m[step] is [var it]</c>.</summary>
    public static Times Optional { get; } = new(1, 1, orNone: true);

    /// <summary>At least one.</summary>
    public static Times OneOrMore { get; } = new(1, null, orNone: false);

    /// <summary>Any number, also none.</summary>
    public static Times ZeroOrMore { get; } = new(1, null, orNone: true);

    internal static Times Once { get; } = new(1, 1, orNone: false);

    /// <summary>The least number, where there is any; at least 1.</summary>
    public int Min { get; }

    /// <summary>The largest number; null where there is no bound.</summary>
    public int? Max { get; }

    /// <summary>Whether none will do as well.</summary>
    public bool IsOptional { get; }

    /// <summary>The same, or none at all: <c>Times.Exactly(3).OrNone</c> is three or none.</summary>
    public Times OrNone => new(Min, Max, orNone: true);

    /// <summary>So many.</summary>
    /// <param name="count">From 1 to <see cref="MaxBound"/>.</param>
    public static Times Exactly(int count) => Between(count, count);

    /// <summary>So many, or more.</summary>
    /// <param name="count">From 0 to <see cref="MaxBound"/>.</param>
    public static Times AtLeast(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, MaxBound);
        return new Times(Math.Max(1, count), null, count == 0);
    }

    /// <summary>None, or up to so many.</summary>
    /// <param name="count">From 1 to <see cref="MaxBound"/>.</param>
    public static Times AtMost(int count) => Between(0, count);

    /// <summary>From one number to another, both included.</summary>
    /// <param name="min">From 0.</param>
    /// <param name="max">From 1 and <paramref name="min"/> to <see cref="MaxBound"/>.</param>
    public static Times Between(int min, int max)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(min);
        ArgumentOutOfRangeException.ThrowIfLessThan(max, Math.Max(1, min));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(max, MaxBound);
        return new Times(Math.Max(1, min), max, min == 0);
    }

    /// <summary>As a regular expression writes it: <c>{2,4}</c>, <c>+</c>, <c>?</c>; nothing for exactly one.</summary>
    public override string ToString() => (Min, Max, IsOptional) switch
    {
        (1, 1, false) => "",
        (1, 1, true) => "?",
        (1, null, false) => "+",
        (1, null, true) => "*",
        (1, int max, true) => $"{{0,{max}}}",
        (int min, int max, bool orNone) when min == max => $"{{{min}}}{(orNone ? "?" : "")}",
        (int min, int max, bool orNone) => $"{{{min},{max}}}{(orNone ? "?" : "")}",
        (int min, null, bool orNone) => $"{{{min},}}{(orNone ? "?" : "")}",
    };
}
