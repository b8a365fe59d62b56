namespace IoT.Cep;

/// <summary>
/// Which aggregates a window projection asks for, found by running it over a window of one event. A selector is known by its source text and its
/// closure: two equal lambdas in one projection are one selector, one call an event, one cell.
/// </summary>
internal sealed class Projection<T>(bool canWiden) : IAggregateUse
{
    /// <summary>Different selectors in one projection; 16 doubles an event are 512 bytes of state a key.</summary>
    internal const int MaxSelectors = 16;

    /// <summary>Different accumulators in one projection.</summary>
    internal const int MaxColumns = 64;

    private readonly List<Selector> _selectors = [];
    private readonly List<Column> _columns = [];
    private readonly Moments[] _scratch = new Moments[MaxSelectors];
    private AggregateCell?[] _scratchRow = [];
    private bool _recording;
    private bool _isRestored;
    private bool _isRestoredMean;
    private T _first = default!;
    private long _firstTicks;
    private int _nextColumn;
    private string? _firstText;
    private object? _firstTarget;
    private Func<T, double>? _firstFunction;
    private AggregateKinds _asked;
    private AggregateKinds _kept = AggregateKinds.All;
    private Action<AggregateKinds>? _widen;

    /// <summary>Whether every selector is known; after a restore only their texts are, until the next event.</summary>
    internal bool IsBound { get; private set; }

    /// <summary>The selectors' texts, and those of the accumulators, which tell one projection from another.</summary>
    internal (string[] Moments, string[] Columns) Texts => ([.. _selectors.Select(s => s.Text)], [.. _columns.Select(c => c.Text)]);

    /// <summary>Whether a count and a sum of one selector are all that it asks for, and all that it will get: more can't be made later.</summary>
    internal bool IsMean => _isRestored ? _isRestoredMean : AsksForMean;

    /// <inheritdoc/>
    public AggregateKinds Asked => _asked;

    internal Func<T, double>[] Functions => [.. _selectors.Select(s => s.Function!)];

    internal AggregateColumn<T>[] Columns => [.. _columns.Select(c => c.Values!)];

    private bool AsksForMean => !canWiden && _selectors.Count == 1 && (_asked & (AggregateKinds.Minimum | AggregateKinds.Maximum)) == 0;

    /// <inheritdoc/>
    public void Keep(AggregateKinds kept, Action<AggregateKinds> widen)
    {
        (_kept, _widen) = (kept, widen);
        NoteFirst();
    }

    /// <summary>The first selector's function, by which it is known where sums are kept; null where one has to look closer. The same with the extremes.</summary>
    internal Func<T, double>? FirstWithSum { get; private set; }

    internal Func<T, double>? FirstWithMinimum { get; private set; }

    internal Func<T, double>? FirstWithMaximum { get; private set; }

    /// <summary>Called before an aggregate is read.</summary>
    internal void Require(AggregateKinds kind, string text)
    {
        if ((_kept & kind) == 0)
        {
            RequireMore(kind, text);
        }
    }

    /// <summary>Declares what a saved query asked for, so that its windows can fire before an event comes.</summary>
    internal void Restore(string[] moments, string[] columns, bool isMean)
    {
        _selectors.Clear();
        _selectors.AddRange(moments.Select(text => new Selector(text, null, null)));
        _columns.Clear();
        _columns.AddRange(columns.Select(text => new Column(text, null, null)));
        (IsBound, _isRestored, _isRestoredMean, _firstText) = (false, true, isMean, null);
        _firstFunction = null;
        _kept = KeptBy(isMean);
        NoteFirst();
    }

    /// <summary>Runs a projection over a window that holds exactly one event.</summary>
    internal void Record<TKey, TResult>(Func<WindowGroup<TKey, T>, TResult> project, in WindowInfo<TKey> info, T first, long ticks)
    {
        var (selectors, columns) = (_selectors.ToArray(), _columns.ToArray());
        var (asked, kept) = (_asked, _kept);
        bool isComplete = false;
        _recording = true;
        (_firstText, _firstFunction) = (null, null);
        (_asked, _kept) = (AggregateKinds.None, AggregateKinds.None);
        NoteFirst();
        (_first, _firstTicks) = (first, ticks);
        _scratchRow = new AggregateCell?[MaxColumns];
        try
        {
            _scratch[0] = default;
            _scratch[0].Count = 1;
            var context = new WindowContext<TKey, T>(this);
            context.Show(in info, _scratchRow);
            project(new WindowGroup<TKey, T>(context, _scratch));
            isComplete = true;
        }
        finally
        {
            if (!isComplete)
            {
                // What was found before the error is found again, at the next event.
                _selectors.Clear();
                _selectors.AddRange(selectors);
                _columns.Clear();
                _columns.AddRange(columns);
                _asked = asked;
            }

            _recording = false;
            _kept = isComplete ? KeptBy(AsksForMean) : kept;
            _first = default!;
            _scratchRow = [];
            NoteFirst();
        }

        if (_isRestored && (_isRestoredMean != AsksForMean || selectors.Length != _selectors.Count || columns.Length != _columns.Count
            || _selectors.Exists(s => s.Function is null) || _columns.Exists(c => c.Values is null)))
        {
            throw new InvalidOperationException(
                "The saved state belongs to another projection: it asks for other aggregates than this one. Give the changed query a new name.");
        }

        _isRestored = false;
        IsBound = true;
        if (_selectors.Count > 0)
        {
            // Most ask for one, and always with the same text object.
            (_firstText, _firstTarget) = (Selections.IsLambda(_selectors[0].Text) ? _selectors[0].Text : null, _selectors[0].Known!.Target);
            _firstFunction = _selectors[0].Known;
            NoteFirst();
        }
    }

    /// <summary>Where a selector's aggregates stand.</summary>
    internal int CellOf(Func<T, double> function, string text)
    {
        if (ReferenceEquals(text, _firstText) && ReferenceEquals(function.Target, _firstTarget))
        {
            return 0;
        }

        for (int i = 0; i < _selectors.Count; i++)
        {
            var known = _selectors[i];
            if ((ReferenceEquals(known.Text, text) || known.Text == text) && (known.Known is null || Selections.AreSame(known.Known, function, text)))
            {
                if (known.Function is null)
                {
                    // The restored places of one text are taken in the order in which they are asked for, as they were when they were saved.
                    _selectors[i] = new Selector(text, function, _recording ? function : null);
                }

                if (known.Function is null && _recording)
                {
                    Try(i, function);
                }

                return i;
            }
        }

        return _recording ? Add(function, text) : throw NotAskedFor(text);
    }

    internal TAccumulator ResultOf<TValue, TAccumulator, TFeed, TSelection>(AggregateCell?[]? row, TAccumulator seed, TSelection selection)
        where TAccumulator : struct
        where TFeed : struct, IFeed<TValue, TAccumulator>
        where TSelection : struct, ISelection<T, TValue>
    {
        int at = ColumnOf<TValue, TAccumulator, TFeed, TSelection>(seed, selection);
        return row is null || row[at] is not { } cell ? seed
            : cell is AggregateCell<TAccumulator> known ? known.Value
            : ((RestoredCell)cell).As<TValue, TAccumulator, TFeed>();
    }

    /// <summary>A projection asks in the same order each time, so the search begins behind the column that was asked for last.</summary>
    private int ColumnOf<TValue, TAccumulator, TFeed, TSelection>(TAccumulator seed, TSelection selection)
        where TAccumulator : struct
        where TFeed : struct, IFeed<TValue, TAccumulator>
        where TSelection : struct, ISelection<T, TValue>
    {
        for (int tried = 0; tried < _columns.Count; tried++)
        {
            int i = _nextColumn < _columns.Count ? _nextColumn : 0;
            _nextColumn = i + 1;
            var known = _columns[i];
            if (known.Values is AggregateColumn<T, TValue, TAccumulator, TFeed> values
                ? selection.IsSame(known.Selection) && EqualityComparer<TAccumulator>.Default.Equals(values.Seed, seed)
                : known.Values is null && known.Text == Column.TextOf(seed, selection.Text) && (known.Selection is null || selection.IsSame(known.Selection)))
            {
                if (known.Selection is null)
                {
                    _columns[i] = known with { Selection = selection };
                }

                if (known.Values is null && _recording)
                {
                    _columns[i] = Fill(i, new AggregateColumn<T, TValue, TAccumulator, TFeed>(selection.Function, seed), selection, seed, selection.Text);
                }

                return i;
            }
        }

        if (!_recording)
        {
            throw NotAskedFor(selection.Text);
        }

        if (_columns.Count == MaxColumns)
        {
            throw new InvalidOperationException(
                $"A projection has at most {MaxColumns} different accumulators. Use Aggregate(accumulator, ...) with a struct of your own for more.");
        }

        _columns.Add(Fill(_columns.Count, new AggregateColumn<T, TValue, TAccumulator, TFeed>(selection.Function, seed), selection, seed, selection.Text));
        return _columns.Count - 1;
    }

    private Column Fill<TAccumulator>(int at, AggregateColumn<T> values, object selection, TAccumulator seed, string text)
    {
        values.Select(in _first);
        values.Add(ref _scratchRow[at], _firstTicks);
        return new Column(Column.TextOf(seed, text), selection, values);
    }

    /// <summary>A lambda that captures nothing is one object, and known by itself: then one comparison says that it is the first, and that its aggregate is kept.</summary>
    private void NoteFirst()
    {
        FirstWithSum = _kept.HasFlag(AggregateKinds.Sum) ? _firstFunction : null;
        FirstWithMinimum = _kept.HasFlag(AggregateKinds.Minimum) ? _firstFunction : null;
        FirstWithMaximum = _kept.HasFlag(AggregateKinds.Maximum) ? _firstFunction : null;
    }

    private static AggregateKinds KeptBy(bool isMean) => isMean ? AggregateKinds.Sum : AggregateKinds.All;

    private void RequireMore(AggregateKinds kind, string text)
    {
        if (_recording)
        {
            _asked |= kind;
        }
        else if (canWiden)
        {
            _widen!(kind);
        }
        else
        {
            throw NotAskedFor(text);
        }
    }

    private static InvalidOperationException NotAskedFor(string text) => new(
        $"This projection asks for an aggregate of '{text}' that it did not ask for on its first window. Ask for every aggregate "
        + "unconditionally (not inside ?:, &&, || or if) and decide in the next Select; selectors must not capture a variable "
        + "that is declared inside the projection.");

    private int Add(Func<T, double> function, string text)
    {
        if (_selectors.Count == MaxSelectors)
        {
            throw new InvalidOperationException(
                $"A projection has at most {MaxSelectors} different selectors. Use Aggregate(accumulator, ...) with a struct of your own for more.");
        }

        _selectors.Add(new Selector(text, function, function));
        Try(_selectors.Count - 1, function);
        return _selectors.Count - 1;
    }

    private void Try(int cell, Func<T, double> function)
    {
        _scratch[cell] = default;
        _scratch[cell].Add(function(_first));
    }

    /// <summary>A selector, and the function by which it is known; after a restore that comes first, with a result that is given before an event.</summary>
    private sealed record Selector(string Text, Func<T, double>? Known, Func<T, double>? Function);

    private sealed record Column(string Text, object? Selection, AggregateColumn<T>? Values)
    {
        /// <summary>What tells an accumulator from others in saved state: its type, its parameters, its selector.</summary>
        internal static string TextOf<TAccumulator>(TAccumulator seed, string text) => $"{typeof(TAccumulator)} {seed} of {text}";
    }
}
