using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Makes one topic of another by templates: <c>plant/{line}/{sensor}</c> to <c>factory/{sensor}</c>.</summary>
internal sealed class TopicMap
{
    private readonly TopicTemplate _from;

    // Text and places in turn; a place is the index of its name.
    private readonly List<(string Text, int Place)> _to = [];

    internal TopicMap(string from, string to)
    {
        ArgumentException.ThrowIfNullOrEmpty(to);
        _from = TopicTemplate.TryParse(from, out var parsed, out string? error) ? parsed : throw new ArgumentException(error, nameof(from));
        for (int at = 0; at < to.Length;)
        {
            int open = to.IndexOf('{', at);
            int close = open < 0 ? -1 : to.IndexOf('}', open);
            if (open >= 0 && close < 0)
            {
                throw new ArgumentException($"In the topic template '{SafeText.Escape(to)}' a '{{' has no '}}'.", nameof(to));
            }

            string text = open < 0 ? to[at..] : to[at..open];
            if (text.AsSpan().ContainsAny('+', '#', '}'))
            {
                throw new ArgumentException($"In the topic template '{SafeText.Escape(to)}' stands a wildcard or a single '}}'; what to put there is said by a place's name, as in 'factory/{{sensor}}'.", nameof(to));
            }

            _to.Add((text, -1));
            if (open >= 0)
            {
                string name = to[(open + 1)..close].TrimStart('*');
                int place = _from.Names.ToList().IndexOf(name);
                _to.Add(("", place >= 0 ? place : throw new ArgumentException(
                    $"The topic template '{SafeText.Escape(to)}' has a place '{SafeText.Escape(name)}' that '{_from}' does not have.", nameof(to))));
            }

            at = open < 0 ? to.Length : close + 1;
        }
    }

    /// <summary>The new topic; null where the old one is none of the template's.</summary>
    internal string? Map(string topic)
    {
        Span<Range> values = stackalloc Range[Math.Max(1, _from.Names.Count)];
        if (!_from.TryMatch(topic, values))
        {
            return null;
        }

        var mapped = new StringBuilder();
        foreach (var (text, place) in _to)
        {
            mapped.Append(place < 0 ? text : topic.AsSpan(values[place]));
        }

        return mapped.ToString();
    }

    public override string ToString() => $"{_from} -> {string.Concat(_to.Select(p => p.Place < 0 ? p.Text : $"{{{_from.Names[p.Place]}}}"))}";
}
