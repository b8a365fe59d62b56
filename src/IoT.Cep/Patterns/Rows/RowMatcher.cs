namespace IoT.Cep;

/// <summary>
/// Matches row patterns: each row with which a match may begin keeps the paths that are alive from it, in order of preference, so no row is looked at
/// twice. A definition
/// is asked once for each row and each different way in which the rows before it fit.
/// </summary>
internal sealed partial class RowMatcher<TKey, T> : Matcher<TKey, T>
    where TKey : notnull
{
    private const int None = -1;

    private readonly RowPattern<T> _pattern;
    private readonly RowProgram<T> _program;
    private readonly Test<T>[] _definitions;
    private readonly Chains<T> _chains;
    private readonly RowStarts<TKey, T> _starts;
    private readonly RowsBefore<T> _before;
    private readonly MatchLimits _limits;
    private readonly RowReport _report;
    private readonly long _span;
    private readonly bool _mergesStates;
    private readonly Queue<(Found<TKey> Found, int Last)> _found = new();

    // What one row does, decided before anything is changed.
    private readonly List<Decision> _decisions = [];
    private readonly List<(RowState<T> State, int Last)> _outcomes = [];
    private readonly List<(int Last, long Start)> _ended = [];
    private readonly List<Asked> _asked = [];
    private readonly List<(RowState<T> State, int Next)> _reached = [];
    private readonly List<int> _added = [];
    private int[] _askedBehind = [];
    private long[] _merged = [];
    private long _merging;
    private int _askedFirst = None;

    internal RowMatcher(RowPattern<T> pattern, PatternShape<T> shape, int maxKeys, MatchLimits limits)
        : base(shape)
    {
        _pattern = pattern;
        _program = new RowProgram<T>(pattern);
        _definitions = shape.Sites[0].Choices;
        _chains = new Chains<T>(shape);
        _starts = new RowStarts<TKey, T>(_chains, maxKeys);
        _before = new RowsBefore<T>(pattern.RowsBefore);
        _limits = limits;
        _report = pattern.Report;
        _span = shape.Span;

        // Where no definition looks at the match, paths that have come to one state have the same future: the preferred one is enough.
        _mergesStates = !shape.HasDependent && !pattern.GivesAll;
    }

    internal override string Kind => "rows";

    // Also a row that fits nothing stands between others.
    internal override bool SeesEveryEvent => true;

    internal override int Keys => _starts.Keys.Count;

    internal override int Events => _chains.Count;

    internal override double Open => _starts.Count;

    internal override long Bytes => _chains.Bytes + _starts.Bytes;

    internal override bool HasFound => _found.Count > 0;

    internal override Found<TKey> Next => _found.Peek().Found;

    internal override Match<T> NextMatch => _chains.ToMatch(_found.Peek().Last);

    internal override PartialMatch<T> NextPartial => new(_chains, _found.Peek().Last, null, _found.Peek().Found.End);

    internal override void RemoveFound() => _chains.Free(_found.Dequeue().Last);

    internal override void Decide(TKey key, in T value, long ticks, ReadOnlySpan<ulong> truths)
    {
        Forget();
        int place = _starts.Keys.IndexOf(key);
        _before.Begin(place < 0 ? null : _starts.Keys.Entries[place].State.Ring, place < 0 ? 0 : _starts.Keys.Entries[place].State.Rows);
        bool isDecided = false;
        try
        {
            int index = place < 0 ? None : _starts.Keys.Entries[place].State.Oldest;
            for (; index != None && !IsLast; index = _starts.At(index).Next)
            {
                DecideStart(index, in value, ticks, truths);
            }

            if (!IsLast)
            {
                Begin(in value, ticks, truths);
            }

            isDecided = true;
        }
        finally
        {
            if (!isDecided)
            {
                Forget();
            }
        }
    }

    /// <summary>Whether a match ends here that leaves nothing behind: whatever else is alive will be dropped.</summary>
    private bool IsLast => _ended.Count > 0 && !_pattern.GivesAll && _pattern.After.Kind == AfterKind.PastLastEvent;

    private void DecideStart(int index, in T value, long ticks, ReadOnlySpan<ulong> truths)
    {
        int from = _outcomes.Count;
        int best = None;
        _merging++;
        for (int path = _starts.At(index).Path; path != None && best == None; path = _starts.PathAt(path).Next)
        {
            var state = _starts.PathAt(path).State;
            best = Follow(state.Ways.AsSpan(0, PreferredOf(state)), _starts.PathAt(path).Last, _starts.At(index).Position, in value, ticks, truths);
        }

        _decisions.Add(new Decision(index, from, _outcomes.Count - from, best));
    }

    private void Begin(in T value, long ticks, ReadOnlySpan<ulong> truths)
    {
        int from = _outcomes.Count;
        int ended = _ended.Count;
        _merging++;

        // That the pattern would also be complete without any row is of no importance: such a match is none.
        int best = Follow(_program.Start.Ways, None, long.MaxValue, in value, ticks, truths);
        if (best != None || _outcomes.Count > from || _ended.Count > ended)
        {
            _decisions.Add(new Decision(None, from, _outcomes.Count - from, best));
        }
    }

    /// <summary>
    /// Goes the ways of one path. Gives the chain of a match that is preferred to everything behind it, where one match is looked for.
    /// </summary>
    private int Follow(ReadOnlySpan<RowWay<T>> ways, int last, long start, in T value, long ticks, ReadOnlySpan<ulong> truths)
    {
        foreach (var way in ways)
        {
            int asked = Ask(way.Variable, last, in value, ticks, truths);
            int next = _asked[asked].Chain;
            if (next == None || !Reach(asked, way.Target))
            {
                continue;
            }

            var target = _program.Compiled(way.Target);
            if (PreferredOf(target) > 0)
            {
                _outcomes.Add((target, next));
            }

            if (target.IsFinal && _report != RowReport.AtOnce)
            {
                return next;
            }

            if (target.IsFinal && (_pattern.GivesAll ? !_asked[asked].HasEnded : _ended.Count == 0))
            {
                _asked[asked] = _asked[asked] with { HasEnded = true };
                _ended.Add((next, start));
            }
        }

        return None;
    }

    /// <summary>Where one match is looked for, what is not preferred to being complete is not gone.</summary>
    private int PreferredOf(RowState<T> state) => state.IsFinal && _report != RowReport.AtOnce ? state.FinalAt : state.Ways!.Length;

    /// <summary>
    /// Whether a row may be a variable's, behind what a path has. Paths with the same rows of the same variables share the answer, and the row.
    /// </summary>
    private int Ask(int variable, int last, in T value, long ticks, ReadOnlySpan<ulong> truths)
    {
        int first = last == None ? _askedFirst : _askedBehind[last];
        for (int i = first; i != None; i = _asked[i].Next)
        {
            if (_asked[i].Variable == variable)
            {
                return i;
            }
        }

        var definition = _definitions[variable];
        int chain = None;
        if (definition.Number < 0 || IsTrue(truths, definition.Number))
        {
            chain = _chains.Add(in value, ticks, 0, Shape.LabelOf(definition, 0), last);
            _added.Add(chain);
            if (definition.Number < 0 && !definition.Condition.Dependent!(value, new PartialMatch<T>(_chains, chain, definition.Handle, ticks, _before)))
            {
                chain = None;
            }
        }

        int index = _asked.Count;
        _asked.Add(new Asked(variable, last, chain, None, first, HasEnded: false));
        if (last == None)
        {
            _askedFirst = index;
        }
        else
        {
            _askedBehind[last] = index;
        }

        return index;
    }

    /// <summary>Whether a state is new for a start: with these rows, or at all where that is all that counts.</summary>
    private bool Reach(int asked, RowState<T> state)
    {
        if (_mergesStates)
        {
            if (state.Id >= _merged.Length)
            {
                Array.Resize(ref _merged, (state.Id + 1) * 2);
            }

            bool isNew = _merged[state.Id] != _merging;
            _merged[state.Id] = _merging;
            return isNew;
        }

        for (int i = _asked[asked].Reached; i != None; i = _reached[i].Next)
        {
            if (_reached[i].State == state)
            {
                return false;
            }
        }

        _reached.Add((state, _asked[asked].Reached));
        _asked[asked] = _asked[asked] with { Reached = _reached.Count - 1 };
        return true;
    }

    /// <summary>Lets go what was decided: rows that nobody has come to hold are freed.</summary>
    private void Forget()
    {
        foreach (var asked in _asked)
        {
            if (asked.Last != None)
            {
                _askedBehind[asked.Last] = None;
            }
        }

        foreach (int chain in _added)
        {
            _chains.Free(chain);
        }

        _askedFirst = None;
        _asked.Clear();
        _added.Clear();
        _reached.Clear();
        _outcomes.Clear();
        _ended.Clear();
        _decisions.Clear();
        if (_askedBehind.Length < _chains.Places)
        {
            int from = _askedBehind.Length;
            Array.Resize(ref _askedBehind, _chains.Places);
            _askedBehind.AsSpan(from).Fill(None);
        }
    }

    /// <summary>What becomes of one start, or of the row itself as one: its paths, and the preferred match so far.</summary>
    private readonly record struct Decision(int Start, int From, int Count, int Best);

    /// <summary>That a variable was asked about the row, behind a chain: the longer chain, or <see cref="None"/> where it does not fit.</summary>
    private readonly record struct Asked(int Variable, int Last, int Chain, int Reached, int Next, bool HasEnded);
}
