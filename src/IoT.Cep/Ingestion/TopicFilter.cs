using System.Text;

namespace IoT.Cep.Extensibility;

/// <summary>
/// A filter of topics by MQTT's rules (MQTT 5.0, section 4.7): levels are separated by <c>/</c>, <c>+</c> stands for one level, and <c>#</c>, last, for
/// the level above and all below. A filter that begins with a wildcard doesn't take topics that begin with <c>$</c>.
/// </summary>
public sealed class TopicFilter
{
    // MQTT 5.0, section 1.5.4: a string's length is sent in two bytes.
    private const int MaxBytes = 65_535;

    private readonly string _filter;

    private TopicFilter(string filter) => _filter = filter;

    /// <summary>Reads a filter.</summary>
    /// <param name="filter">The filter: <c>city/+/temperature</c>, <c>city/#</c>.</param>
    /// <exception cref="FormatException">The filter is not valid; the message says why.</exception>
    public static TopicFilter Parse(string filter)
    {
        ArgumentNullException.ThrowIfNull(filter);
        return TryParse(filter, out var parsed, out string? error) ? parsed : throw new FormatException(error);
    }

    /// <summary>Reads a filter, and says what is wrong with one that isn't valid.</summary>
    /// <param name="filter">The filter.</param>
    /// <param name="parsed">The filter that was read; null where it isn't valid.</param>
    /// <param name="error">What is wrong; null where it is valid.</param>
    public static bool TryParse(
        string filter,
        [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out TopicFilter? parsed,
        [System.Diagnostics.CodeAnalysis.NotNullWhen(false)] out string? error)
    {
        ArgumentNullException.ThrowIfNull(filter);
        error = Check(filter);
        parsed = error is null ? new TopicFilter(filter) : null;
        return parsed is not null;
    }

    /// <summary>Whether a topic passes. Allocates nothing; costs about one comparison for each character.</summary>
    /// <param name="topic">The topic.</param>
    public bool Matches(ReadOnlySpan<char> topic)
    {
        var filter = _filter.AsSpan();
        if (topic.IsEmpty || (topic[0] == '$' && (filter[0] is '+' or '#')))
        {
            return false;
        }

        while (true)
        {
            var level = TakeLevel(ref filter, out bool isLastLevel);
            if (level is "#")
            {
                return true;
            }

            var topicLevel = TakeLevel(ref topic, out bool isLastOfTopic);
            if (level is not "+" && !level.SequenceEqual(topicLevel))
            {
                return false;
            }

            if (isLastLevel || isLastOfTopic)
            {
                // "city/#" takes "city" too.
                return isLastLevel ? isLastOfTopic : filter is "#";
            }
        }
    }

    /// <inheritdoc/>
    public override string ToString() => _filter;

    private static ReadOnlySpan<char> TakeLevel(ref ReadOnlySpan<char> rest, out bool isLast)
    {
        int end = rest.IndexOf('/');
        isLast = end < 0;
        var level = isLast ? rest : rest[..end];
        rest = isLast ? default : rest[(end + 1)..];
        return level;
    }

    private static string? Check(string filter)
    {
        if (filter.Length == 0)
        {
            return "A topic filter can't be empty; '#' takes all topics.";
        }

        if (filter.Contains('\0', StringComparison.Ordinal) || Encoding.UTF8.GetByteCount(filter) > MaxBytes)
        {
            return "A topic filter can't hold the character U+0000 or be longer than 65,535 bytes.";
        }

        string[] levels = filter.Split('/');
        for (int i = 0; i < levels.Length; i++)
        {
            if (levels[i].Length > 1 && levels[i].AsSpan().ContainsAny('+', '#'))
            {
                return $"In the topic filter '{SafeText.Escape(filter)}' a wildcard must be a whole level, as in 'city/+/temperature'.";
            }

            if (levels[i] == "#" && i < levels.Length - 1)
            {
                return $"In the topic filter '{SafeText.Escape(filter)}' the wildcard '#' must be the last level.";
            }
        }

        return null;
    }
}
