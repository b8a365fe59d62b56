namespace IoT.Cep;

/// <summary>
/// Which aggregates a window projection asks for, found by running it over a window of one event. A selector is known by its source text and its
/// closure: two equal texts in one projection are one selector, one call an event, one cell.
/// </summary>
internal sealed class Projection<T>
{
    /// <summary>Different selectors in one projection; 16 doubles an event are 512 bytes of state a key.</summary>
    internal const int MaxSelectors = 16;

    private readonly List<Selector> _selectors = [];
    private readonly Moments[] _scratch = new Moments[MaxSelectors];
    private bool _recording;
    private bool _isRestored;
    private T _first = default!;

    /// <summary>Whether every selector is known; after a restore only their texts are, until the next event.</summary>
    internal bool IsBound { get; private set; }

    internal int Count => _selectors.Count;

    internal IReadOnlyList<string> Texts => [.. _selectors.Select(s => s.Text)];

    internal Func<T, double>[] Functions => [.. _selectors.Select(s => s.Function!)];

    /// <summary>Declares the selectors of a saved query, so that its windows can fire before an event comes.</summary>
    internal void Restore(IEnumerable<string> texts)
    {
        _selectors.Clear();
        _selectors.AddRange(texts.Select(text => new Selector(text, null, null)));
        (IsBound, _isRestored) = (false, true);
    }

    /// <summary>Runs a projection over a window that holds exactly one event.</summary>
    internal void Record<TKey, TResult>(Func<WindowGroup<TKey, T>, TResult> project, in WindowInfo<TKey> info, T first)
    {
        int known = _selectors.Count;
        bool isComplete = false;
        _recording = true;
        _first = first;
        try
        {
            _scratch[0] = default;
            _scratch[0].Count = 1;
            project(new WindowGroup<TKey, T>(this, in info, _scratch));
            isComplete = true;
        }
        finally
        {
            if (!isComplete)
            {
                // What was found before the error is found again, at the next event.
                _selectors.RemoveRange(known, _selectors.Count - known);
            }

            _recording = false;
            _first = default!;
        }

        if (_isRestored && (known != _selectors.Count || _selectors.Exists(s => s.Function is null)))
        {
            throw new InvalidOperationException(
                "The saved state belongs to another projection: it asks for other aggregates than this one. Give the changed query a new name.");
        }

        _isRestored = false;
        IsBound = true;
    }

    internal int CellOf(Func<T, double> function, string text)
    {
        for (int i = 0; i < _selectors.Count; i++)
        {
            var known = _selectors[i];
            if ((ReferenceEquals(known.Text, text) || known.Text == text) && (known.Function is null || ReferenceEquals(known.Target, function.Target)))
            {
                if (known.Function is null && _recording)
                {
                    _selectors[i] = new Selector(text, function.Target, function);
                    Try(i, function);
                }

                return i;
            }
        }

        return _recording ? Add(function, text) : throw new InvalidOperationException(
            $"This projection asks for an aggregate of '{text}' that it did not ask for on its first window. Ask for every aggregate "
            + "unconditionally (not inside ?:, &&, || or if) and decide in the next Select; selectors must not capture a variable "
            + "that is declared inside the projection.");
    }

    private int Add(Func<T, double> function, string text)
    {
        if (_selectors.Count == MaxSelectors)
        {
            throw new InvalidOperationException(
                $"A projection has at most {MaxSelectors} different selectors. Use Aggregate(accumulator, ...) with a struct of your own for more.");
        }

        _selectors.Add(new Selector(text, function.Target, function));
        Try(_selectors.Count - 1, function);
        return _selectors.Count - 1;
    }

    private void Try(int cell, Func<T, double> function)
    {
        _scratch[cell] = default;
        _scratch[cell].Add(function(_first));
    }

    private sealed record Selector(string Text, object? Target, Func<T, double>? Function);
}
