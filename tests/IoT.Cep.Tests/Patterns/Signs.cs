using System.Globalization;

namespace IoT.Cep.Tests;

/// <summary>An event as pattern tests write it: <c>a5</c>, a letter and a number, of a key.</summary>
internal readonly record struct Sign(char Key, char Kind, int Number)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Kind}{Number}");
}

/// <summary>
/// Patterns over rows of signs. Each second has one sign, <c>-</c> is a second without any, <c>a5@2.5</c> stands at a time of its own. Three keys get the same
/// signs, and what a pattern gives is asked of both machines: the one that would be picked, and runs.
/// </summary>
internal static class Signs
{
    private const string Keys = "xyz";

    internal static bool A(Sign sign) => sign.Kind == 'a';

    internal static bool B(Sign sign) => sign.Kind == 'b';

    internal static bool C(Sign sign) => sign.Kind == 'c';

    internal static bool D(Sign sign) => sign.Kind == 'd';

    internal static bool N(Sign sign) => sign.Kind == 'n';

    internal static Timeline<Sign> Rows(string signs, string keys = Keys, bool isInOrder = false)
    {
        var timeline = Timeline.Of<Sign>();
        timeline = isInOrder ? timeline.InOrder() : timeline;
        double seconds = 0;
        foreach (string text in signs.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            seconds++;
            if (text == "-")
            {
                continue;
            }

            string[] parts = text.Split('@');
            seconds = parts.Length == 1 ? seconds : double.Parse(parts[1], CultureInfo.InvariantCulture);
            foreach (char key in keys)
            {
                timeline.At(seconds, new Sign(key, text[0], parts[0].Length == 1 ? 0 : int.Parse(parts[0].AsSpan(1), CultureInfo.InvariantCulture)));
            }
        }

        return timeline.Watermark(seconds).Watermark(seconds + 1000).End();
    }

    /// <summary>Both machines, in every way, give each key these matches; which of those that one event completes comes first is nobody's business.</summary>
    internal static void Expect(string signs, Pattern<Sign> pattern, params string[] matches) => Expect(signs, pattern, Text, matches);

    internal static void Expect(string signs, Pattern<Sign> pattern, Func<Match<Sign>, string> print, params string[] matches)
    {
        string[] expected = matches.Order(StringComparer.Ordinal).ToArray();
        foreach (bool isRuns in new[] { false, true })
        {
            var outcome = Rows(signs).Through(s => Match(s.KeyBy(sign => sign.Key), pattern, isRuns).Select(m => $"{m.First.Key}: {print(m)}")).Run();
            Assert.Null(outcome.Error);
            foreach (char key in Keys)
            {
                Assert.Equal(expected, outcome.Rows.Where(row => row.Value[0] == key).Select(row => row.Value[3..]).Order(StringComparer.Ordinal));
            }
        }
    }

    /// <summary>What one key is given, with the times, in the order in which it comes.</summary>
    internal static IEnumerable<(double Seconds, string Match)> Play(string signs, Pattern<Sign> pattern) =>
        Rows(signs, keys: "x").Through(s => s.KeyBy(sign => sign.Key).Match(pattern).Select(Text)).Run().Results;

    internal static IEventStream<Match<Sign>> Match(IKeyedStream<char, Sign> stream, Pattern<Sign> pattern, bool isRuns)
    {
        if (!isRuns)
        {
            return stream.Match(pattern);
        }

        var parts = new MatchParts<char, Sign>([pattern], stream.Key, stream.Node.IsOrdered, MatchExtensions.DefaultMaxPartialMatchesPerKey, WhenMatchesFull.DropOldest)
        {
            ForcesRuns = true,
        };
        return new MatchNode<char, Sign>(stream.Node, parts).ToStream();
    }

    internal static string Text(Match<Sign> match)
    {
        var events = match.Events.ToArray();
        return string.Join(' ', events.Select(one => one.Event));
    }
}
