namespace IoT.Cep.Tests;

/// <summary>
/// What a row pattern means, slow and obvious: for each start every way to fit is searched by backtracking, the preferred one first. Beside each
/// definition stands the same
/// as the library is asked it.
/// </summary>
internal sealed class RowModel
{
    private readonly Random _random;
    private readonly List<RowVariable<Reading>> _variables = [];
    private readonly List<Func<Reading[], List<(int Variable, int Row)>, bool>> _definitions = [];
    private readonly Node _root;
    private readonly string _after;
    private readonly int _afterVariable;
    private readonly bool _all;
    private readonly int _span;

    internal RowModel(int seed)
    {
        _random = new Random(seed);
        int count = _random.Next(1, 4);
        var definitions = RowDefinitions<Reading>.Empty;
        bool isSimple = _random.Next(3) == 0;
        for (int i = 0; i < count; i++)
        {
            definitions = Define(definitions, isSimple ? 0 : _random.Next(6));
        }

        _root = Make(3);
        Mode = _random.Next(3);
        _all = Mode == 0 && _random.Next(3) == 0;
        _span = _random.Next(3) == 0 ? 1000 : _random.Next(2, 8);
        _afterVariable = _random.Next(count);
        _after = _random.Next(6) switch { 0 => "next", 1 => "none", 2 => "first", 3 => "last", _ => "past" };
        var pattern = definitions.Pattern(Expression(_root)).Lookback(2).AfterMatch(_after switch
        {
            "next" => After.ToNext,
            "none" => After.NoSkip,
            "first" => After.ToFirst(_variables[_afterVariable]),
            "last" => After.ToLast(_variables[_afterVariable]),
            _ => After.PastLastEvent,
        });
        pattern = Mode == 2 ? pattern.AfterInterval(TimeSpan.FromSeconds(_span)) : pattern.Within(TimeSpan.FromSeconds(_span));
        Pattern = Mode == 1 ? pattern.WhenDecided() : _all ? pattern.AllMatches() : pattern;
    }

    /// <summary>Given at once, when decided, or after an interval.</summary>
    internal int Mode { get; }

    internal RowPattern<Reading> Pattern { get; }

    /// <summary>The matches of one key's rows: when each is given, where that is known, and its rows with their variables.</summary>
    internal List<(int? At, string Match)> MatchesOf((int Time, Reading Row)[] rows)
    {
        var found = new List<(int? At, string Match)>();
        int low = 0;
        for (int i = 0; i < rows.Length; i++)
        {
            if (Mode == 0)
            {
                var ending = new List<List<(int Variable, int Row)>>();
                for (int start = low; start <= i && (_all || ending.Count == 0); start++)
                {
                    ending.AddRange(Ways(rows, start, i + 1).Where(way => way[^1].Row == i).Take(_all ? int.MaxValue : 1));
                }

                found.AddRange(ending.Select(way => ((int?)rows[i].Time, Text(rows, way))));
                low = Math.Max(low, ending.Select(Resume).Append(-1).Max());
            }
            else if (i >= low && Ways(rows, i, rows.Length).FirstOrDefault() is { } way)
            {
                found.Add((Mode == 2 ? rows[i].Time + _span : null, Text(rows, way)));
                low = Math.Max(i + 1, Resume(way));
            }
        }

        return found;
    }

    private static string Text((int Time, Reading Row)[] rows, List<(int Variable, int Row)> way) =>
        string.Join(' ', way.Select(one => FormattableString.Invariant($"{(char)('a' + one.Variable)}{rows[one.Row].Time}")));

    internal string TextOf(Match<Reading> match, DateTimeOffset origin) => string.Join(
        ' ', match.AllRows().Select(row => FormattableString.Invariant($"{(char)('a' + _variables.IndexOf((RowVariable<Reading>)row.Variable))}{(row.Time - origin).TotalSeconds}")));

    private int Resume(List<(int Variable, int Row)> way) => _after switch
    {
        "next" => way[0].Row + 1,
        "past" => way[^1].Row + 1,
        "first" => way.Where(one => one.Variable == _afterVariable).Select(one => one.Row).DefaultIfEmpty(-1).First(),
        "last" => way.Where(one => one.Variable == _afterVariable).Select(one => one.Row).DefaultIfEmpty(-1).Last(),
        _ => -1,
    };

    private IEnumerable<List<(int Variable, int Row)>> Ways((int Time, Reading Row)[] timed, int start, int limit)
    {
        var rows = timed.Select(row => row.Row).ToArray();
        limit = Math.Min(limit, timed.Count(row => row.Time < timed[start].Time + _span));
        var seen = new HashSet<string>();
        return Walk(_root, start, [], rows, limit, (at, got) => [got]).Where(way => way.Count > 0 && seen.Add(Text(timed, way)));
    }

    private IEnumerable<List<(int, int)>> Walk(
        Node node, int at, List<(int, int)> got, Reading[] rows, int limit, Func<int, List<(int, int)>, IEnumerable<List<(int, int)>>> then)
    {
        switch (node.Kind)
        {
            case 'v':
                List<(int, int)> with = [.. got, (node.Variable, at)];
                return at < limit && _definitions[node.Variable](rows, with) ? then(at + 1, with) : [];
            case 's':
                return Go(0, at, got);
            case '|':
                return node.Parts.SelectMany(part => Walk(part, at, got, rows, limit, then));
            case 'p':
                return Orders(node.Parts).SelectMany(order => Walk(new Node('s', order), at, got, rows, limit, then));
            default:
                return Repeat(0, at, got, -1);
        }

        IEnumerable<List<(int, int)>> Go(int i, int from, List<(int, int)> has) =>
            i == node.Parts.Length ? then(from, has) : Walk(node.Parts[i], from, has, rows, limit, (next, more) => Go(i + 1, next, more));

        IEnumerable<List<(int, int)>> Repeat(int n, int from, List<(int, int)> has, int last)
        {
            IEnumerable<List<(int, int)>> More() => (node.Max is null || n < node.Max) && !(n > node.Min && last == from)
                ? Walk(node.Parts[0], from, has, rows, limit, (next, more) => Repeat(n + 1, next, more, from))
                : [];
            IEnumerable<List<(int, int)>> Stop() => n >= node.Min ? then(from, has) : [];
            return node.IsGreedy ? Lazily(More).Concat(Lazily(Stop)) : Lazily(Stop).Concat(Lazily(More));
        }
    }

    private static IEnumerable<List<(int, int)>> Lazily(Func<IEnumerable<List<(int, int)>>> ways)
    {
        foreach (var way in ways())
        {
            yield return way;
        }
    }

    private static IEnumerable<Node[]> Orders(Node[] parts) => parts.Length == 1
        ? [parts]
        : Enumerable.Range(0, parts.Length).SelectMany(i => Orders([.. parts[..i], .. parts[(i + 1)..]]).Select(rest => (Node[])[parts[i], .. rest]));

    private Node Make(int depth) => _random.Next(depth == 0 ? 1 : 7) switch
    {
        0 or 1 => new Node('v', []) { Variable = _random.Next(_variables.Count) },
        2 or 3 => new Node('s', [.. Enumerable.Range(0, _random.Next(2, 4)).Select(_ => Make(depth - 1))]),
        4 => new Node('|', [Make(depth - 1), Make(depth - 1)]),
        5 when _random.Next(2) == 0 => new Node('p', [.. Enumerable.Range(0, _random.Next(2, 4)).Select(_ => Make(depth - 2 < 0 ? 0 : depth - 2))]),
        _ => Repeated(Make(depth - 1)),
    };

    private Node Repeated(Node part)
    {
        int min = _random.Next(3);
        return new Node('*', [part]) { Min = min, Max = _random.Next(2) == 0 ? null : Math.Max(1, min + _random.Next(2)), IsGreedy = _random.Next(2) == 0 };
    }

    private IRowExpression<Reading> Expression(Node node)
    {
        var parts = node.Parts.Select(Expression).ToArray();
        switch (node.Kind)
        {
            case 'v':
                return _variables[node.Variable];
            case 's':
                return RowPattern.Group(parts);
            case '|':
                return parts[0].Or(parts[1]);
            case 'p':
                return RowPattern.Permute(parts);
            default:
                var repeated = node.Max is { } max ? parts[0].Times(node.Min, max) : parts[0].AtLeast(node.Min);
                return node.IsGreedy ? repeated : repeated.Reluctant();
        }
    }

    private RowDefinitions<Reading> Define(RowDefinitions<Reading> definitions, int kind)
    {
        int self = _variables.Count;
        int bound = _random.Next(2, 8);
        var first = _variables.Count == 0 ? null : _variables[0];
        (Func<Reading, PartialMatch<Reading>, bool>? asked, Func<Reading[], List<(int Variable, int Row)>, bool> meant) = kind switch
        {
            1 => ((r, m) => r.Value >= m.Previous(other => other.Value), (rows, got) => got[^1].Row > 0 && rows[got[^1].Row].Value >= rows[got[^1].Row - 1].Value),
            2 => ((r, m) => m.Taken.Count <= bound / 2, (rows, got) => got.Count(one => one.Variable == self) <= bound / 2),
            3 => ((r, m) => m.Rows.Sum(other => other.Value) <= bound * 2, (rows, got) => got.Sum(one => rows[one.Row].Value) <= bound * 2),
            4 when first is not null => (
                (r, m) => m[first].Sum(other => other.Value) >= r.Value - bound,
                (rows, got) => got.Where(one => one.Variable == 0).Sum(one => rows[one.Row].Value) >= rows[got[^1].Row].Value - bound),
            5 => ((r, m) => !m.HasPrevious(2) || m.Previous(2).Value < bound, (rows, got) => got[^1].Row < 2 || rows[got[^1].Row - 2].Value < bound),
            _ => ((Func<Reading, PartialMatch<Reading>, bool>?)null, (Func<Reading[], List<(int Variable, int Row)>, bool>)((rows, got) => rows[got[^1].Row].Value % 8 < bound)),
        };
        definitions = asked is null ? definitions.Define(out var variable, r => r.Value % 8 < bound, $"{(char)('a' + self)}") : definitions.Define(out variable, asked, $"{(char)('a' + self)}");
        _variables.Add(variable);
        _definitions.Add(meant);
        return definitions;
    }

    private sealed record Node(char Kind, Node[] Parts)
    {
        internal int Variable { get; init; }

        internal int Min { get; init; }

        internal int? Max { get; init; }

        internal bool IsGreedy { get; init; } = true;
    }
}
