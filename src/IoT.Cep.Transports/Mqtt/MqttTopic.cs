using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The rules of topics and topic filters (MQTT 5, 4.7), checked before anything is sent: part of a topic often comes from a device.</summary>
internal static class MqttTopic
{
    /// <summary>The protocol's limit: a length of 16 bits.</summary>
    private const int MaxBytes = ushort.MaxValue;

    /// <summary>Strict, so that a lone surrogate is refused here and not replaced on the wire.</summary>
    private static readonly UTF8Encoding _utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>What is wrong with a topic to publish to; null: nothing.</summary>
    /// <param name="topic">The topic.</param>
    internal static string? Problem(string? topic)
    {
        if (string.IsNullOrEmpty(topic))
        {
            return "The topic is empty.";
        }

        foreach (char c in topic)
        {
            if (c is '+' or '#')
            {
                return $"The topic '{SafeText.Escape(topic)}' has a wildcard character; nothing can be published to '{c}'.";
            }

            if (char.IsControl(c))
            {
                return $"The topic '{SafeText.Escape(topic)}' has a control character; brokers close the connection for it.";
            }
        }

        return topic[0] == '$'
            ? $"The topic '{SafeText.Escape(topic)}' begins with '$', which belongs to the broker."
            : EncodingProblem(topic);
    }

    /// <summary>Throws for a filter that no broker takes.</summary>
    /// <param name="filter">The filter.</param>
    internal static void ThrowIfInvalidFilter(string filter)
    {
        ArgumentException.ThrowIfNullOrEmpty(filter);
        string shared = filter;
        if (TakeShareName(ref shared) is { } group && (shared.Length == 0 || group.Length == 0 || group.AsSpan().ContainsAny('+', '#')))
        {
            throw Invalid("a shared subscription is '$share/group/filter', and the group has no wildcards");
        }

        string[] levels = shared.Split('/');
        for (int i = 0; i < levels.Length; i++)
        {
            string level = levels[i];
            if (level.Contains('+', StringComparison.Ordinal) && level != "+")
            {
                throw Invalid("'+' stands for a whole level: write 'a/+/b'");
            }

            if (level.Contains('#', StringComparison.Ordinal) && (level != "#" || i != levels.Length - 1))
            {
                throw Invalid("'#' stands for all further levels and must be the last: write 'a/#'");
            }
        }

        if (filter.Any(char.IsControl) || EncodingProblem(filter) is not null)
        {
            throw Invalid("it has control characters, broken surrogates or more than 65,535 bytes");
        }

        ArgumentException Invalid(string remedy) => new($"The topic filter '{SafeText.Escape(filter)}' is invalid: {remedy}.", nameof(filter));
    }

    /// <summary>The name of a group of subscribers that share what a filter takes: <c>$share/name/filter</c>; null: it is not shared.</summary>
    /// <param name="filter">The filter; what it takes, afterwards.</param>
    internal static string? TakeShareName(ref string filter)
    {
        const string Prefix = "$share/";
        if (!filter.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return null;
        }

        int end = filter.IndexOf('/', Prefix.Length);
        string name = end < 0 ? filter[Prefix.Length..] : filter[Prefix.Length..end];
        filter = end < 0 ? "" : filter[(end + 1)..];
        return name;
    }

    /// <summary>Whether a filter is one that a client may subscribe to.</summary>
    /// <param name="filter">The filter, <c>$share</c> included.</param>
    internal static bool IsFilter(string? filter)
    {
        try
        {
            ThrowIfInvalidFilter(filter!);
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private static string? EncodingProblem(string topic)
    {
        try
        {
            return _utf8.GetByteCount(topic) <= MaxBytes ? null : "The topic has more than 65,535 bytes.";
        }
        catch (EncoderFallbackException)
        {
            return $"The topic '{SafeText.Escape(topic)}' has half of a surrogate pair.";
        }
    }
}
