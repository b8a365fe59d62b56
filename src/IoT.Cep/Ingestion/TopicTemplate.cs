using System.Text;

namespace IoT.Cep.Extensibility;

/// <summary>
/// A topic or path with named places: <c>plant/{line}/{sensor}</c>. A decoder puts what stands there into the event's members of these names. A place is a
/// whole level; <c>{*rest}</c>, last, is all further levels (one at least). MQTT's wildcards <c>+</c> and <c>#</c> are places without a name, so every topic filter is a template.
/// </summary>
public sealed class TopicTemplate
{
    /// <summary>The most places of one template.</summary>
    public const int MaxPlaces = 32;

    private readonly string _template;
    private readonly TopicFilter _filter;

    // For each level: the index of its name, or -1.
    private readonly int[] _names;
    private readonly bool _isOpen;

    private TopicTemplate(string template, TopicFilter filter, string[] levels, List<string> names, bool isOpen)
    {
        (_template, _filter, Names, _isOpen) = (template, filter, names, isOpen);
        _names = [.. levels.Select(level => NameOf(level) is { } name ? names.IndexOf(name) : -1)];
    }

    /// <summary>The names of its places, from left to right.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>The topic filter of the same topics: <c>plant/+/+</c>.</summary>
    public TopicFilter Filter => _filter;

    /// <summary>Reads a template.</summary>
    /// <param name="template">The template; a slash in front is passed over.</param>
    /// <exception cref="FormatException">It is not valid; the message says why.</exception>
    public static TopicTemplate Parse(string template)
    {
        ArgumentNullException.ThrowIfNull(template);
        return TryParse(template, out var parsed, out string? error) ? parsed : throw new FormatException(error);
    }

    /// <summary>Reads a template, and says what is wrong with one that isn't valid.</summary>
    /// <param name="template">The template; a slash in front is passed over.</param>
    /// <param name="parsed">The template that was read; null where it isn't valid.</param>
    /// <param name="error">What is wrong; null where it is valid.</param>
    public static bool TryParse(
        string template,
        [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out TopicTemplate? parsed,
        [System.Diagnostics.CodeAnalysis.NotNullWhen(false)] out string? error)
    {
        ArgumentNullException.ThrowIfNull(template);
        parsed = null;
        string text = template.StartsWith('/') ? template[1..] : template;
        string[] levels = text.Split('/');
        var names = new List<string>();
        var filter = new StringBuilder();
        for (int i = 0; i < levels.Length; i++)
        {
            bool isLast = i == levels.Length - 1;
            string level = levels[i];
            string? name = NameOf(level);
            error = name is not null ? ProblemOf(name, level, isLast, names) : level.AsSpan().ContainsAny('{', '}') ? "a place must be a whole level, as in 'plant/{line}'" : null;
            if (error is not null)
            {
                error = $"In the topic template '{SafeText.Escape(template)}' {error}.";
                return false;
            }

            filter.Append(name is null ? level : level[1] == '*' ? "#" : "+").Append(isLast ? "" : "/");
            if (name is not null)
            {
                names.Add(name);
            }
        }

        if (TopicFilter.TryParse(filter.ToString(), out var parsedFilter, out error))
        {
            parsed = new TopicTemplate(text, parsedFilter, levels, names, levels[^1] == "#" || levels[^1].StartsWith("{*", StringComparison.Ordinal));
        }

        return parsed is not null;
    }

    /// <summary>Whether a topic is one of these, and what stands in its places. Allocates nothing; costs about two comparisons for each character.</summary>
    /// <param name="topic">The topic or path, without a slash in front.</param>
    /// <param name="values">Where the places' values go, as ranges of the topic, in the order of <see cref="Names"/>; at least as many as there are names.</param>
    public bool TryMatch(ReadOnlySpan<char> topic, Span<Range> values)
    {
        if (!_filter.Matches(topic))
        {
            return false;
        }

        int start = 0;
        for (int level = 0; level < _names.Length; level++)
        {
            bool isRest = _isOpen && level == _names.Length - 1;
            if (start > topic.Length)
            {
                // "plant/#" takes "plant" as well, but {*rest} must be something.
                return _names[level] < 0;
            }

            int length = isRest ? -1 : topic[start..].IndexOf('/');
            int end = length < 0 ? topic.Length : start + length;
            if (_names[level] >= 0)
            {
                values[_names[level]] = start..end;
            }

            start = end + 1;
        }

        return true;
    }

    /// <summary>
    /// A function that fills the places from an event's fields: the topics of a sink. A value that can't be a level of a topic (empty, or with a slash, a wildcard or a
    /// control character) throws <see cref="FormatException"/>, which sinks make a dead letter; <c>{*rest}</c> may have slashes.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <exception cref="ArgumentException">A place has no name, or the event type no field of that name.</exception>
    public Func<T, string> For<T>()
        where T : IEvent<T> => new TopicWriter<T>(this).Fill;

    /// <inheritdoc/>
    public override string ToString() => _template;

    private static string? NameOf(string level) => level is ['{', .. var inner, '}'] ? inner.TrimStart('*') : null;

    private static string? ProblemOf(string name, string level, bool isLast, List<string> names) =>
        name.Length == 0 || !name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-') ? $"'{SafeText.Escape(level)}' is no name: letters, digits, '_' and '-' are"
        : names.Count == MaxPlaces ? "there are more than 32 places"
        : names.Contains(name) ? $"the place '{name}' stands twice"
        : level[1] == '*' && !isLast ? $"'{level}' must be the last level"
        : null;
}
