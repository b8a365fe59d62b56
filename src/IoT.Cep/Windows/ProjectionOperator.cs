using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Finds a projection's aggregates on the first event, and then runs the window with the cheapest kernel that serves them.</summary>
internal sealed class ProjectionOperator<TKey, T, TResult>(
    Operator<TResult> next, QueryContext query, WindowSpec spec, KeySelector<TKey, T> key, WindowProjection<TKey, T, TResult> project,
    KeyRange keys, bool identity, bool isOrdered) : Operator<T, TResult>(next, query)
    where TKey : notnull
{
    private readonly Projection<T> _projection = new(canWiden: spec is PerEventWindows);
    private readonly Func<WindowGroup<TKey, T>, bool> _record = group =>
    {
        bool passes = project.Having?.Invoke(group) ?? true;
        project.Result(group);
        return passes;
    };

    // State that checkpoints save: the selectors' texts, and the window that runs.
    private Operator<T>? _window;
    private ReadOnlyMemory<byte>[] _restored = [];
    private int _tried;
    private long _watermark = long.MinValue;
    private long _running;

    internal override bool IsStateful => true;

    internal override bool EvictsKeys => spec is TimeWindows && key.Timeline is null;

    protected override void Process(in Batch<T> batch)
    {
        // The first event at which the projection or a selector does not throw tells which aggregates there are.
        for (Position = 0; !_projection.IsBound && Position < batch.Length;)
        {
            Bind(batch.Events[Position], batch.Ticks[Position]);
        }

        _window!.OnEvents(batch.Slice(Position, batch.Length - Position));
    }

    internal override void OnRunningTime(long running)
    {
        _running = running;
        _window?.OnRunningTime(running);
    }

    protected override void Advance(long watermark)
    {
        _watermark = watermark;
        BindToHeld();
        if (_window is null)
        {
            Next.OnWatermark(watermark);
        }
        else
        {
            _window.OnWatermark(watermark);
        }
    }

    protected override void Complete()
    {
        BindToHeld();
        if (_window is null)
        {
            Next.OnCompleted();
        }
        else
        {
            _window.OnCompleted();
        }
    }

    /// <summary>A held event at which the projection or a selector throws tells nothing; the next one may.</summary>
    protected override void DropResult() => _tried++;

    internal override void Save(StateWriter writer)
    {
        writer.Int64(_watermark);
        writer.Int64(_running);
        writer.Boolean(_window is not null);
        if (_window is not null)
        {
            var (moments, columns) = _projection.Texts;
            writer.Int32(_projection.IsMean ? ~moments.Length : moments.Length);
            WriteTexts(writer, moments);
            writer.Int32(columns.Length);
            WriteTexts(writer, columns);
            var inner = new StateWriter();
            _window.Save(inner);
            writer.Bytes(inner.Written.Span);
        }
    }

    internal override void Load(StateReader reader)
    {
        _watermark = Math.Max(_watermark, reader.Int64());
        _running = Math.Max(_running, reader.Int64());
        if (!reader.Boolean())
        {
            return;
        }

        // The complement of their number says that they are a mean.
        int selectors = reader.Int32();
        string[] moments = ReadTexts(reader, selectors < 0 ? ~selectors : selectors);
        string[] columns = ReadTexts(reader, reader.Int32());
        _restored = [.. _restored, reader.Bytes()];
        if (_window is null)
        {
            _projection.Restore(moments, columns, isMean: selectors < 0);

            // No event can come to it before the selectors are bound again; cells stay as they were saved until then.
            _window = Make(
                [.. moments.Select(_ => (Func<T, double>)(static _ => throw new System.Diagnostics.UnreachableException()))],
                [.. columns.Select(_ => new UnboundColumn<T>())]);
        }

        _window.Load(new StateReader(_restored[^1]));
    }

    protected override void Release() => _window?.Dispose();

    /// <summary>A restored window that holds events may have to process them before another one comes.</summary>
    private void BindToHeld()
    {
        while (!_projection.IsBound && _window is IHoldsEvents<T> holder && _tried < holder.HeldEvents)
        {
            var (value, ticks) = holder.HeldAt(_tried);
            Bind(value, ticks);
        }
    }

    private void Bind(T value, long ticks)
    {
        var (start, end) = spec.Around(ticks);
        _projection.Record(_record, new WindowInfo<TKey>(key.Select(value), start, end), value, ticks);
        var old = _window;
        _window = Make(_projection.Functions, _projection.Columns);
        MoveState(old);
    }

    private void MoveState(Operator<T>? old)
    {
        var state = new StateWriter();
        if (old is null)
        {
            // A window that was made late has missed the watermarks so far, and the running time.
            _window!.OnRunningTime(_running);
            if (_watermark != long.MinValue && key.Timeline is null)
            {
                // What each kind of window saves that has seen no event: no keys, no results that wait, and no keys that gave way.
                state.Int64(_watermark);
                state.Int32(0);
                state.Int32(0);
                state.Int32(0);
                _window!.Load(new StateReader(state.Written));
            }
        }
        else
        {
            old.Save(state);
            _window!.Load(new StateReader(state.Written));
            old.Dispose();
        }
    }

    private static void WriteTexts(StateWriter writer, string[] texts)
    {
        foreach (string text in texts)
        {
            writer.Text(text);
        }
    }

    private static string[] ReadTexts(StateReader reader, int count) => [.. Enumerable.Range(0, count).Select(_ => reader.Text()!)];

    private Operator<T> Make(Func<T, double>[] selectors, AggregateColumn<T>[] columns)
    {
        var window = selectors.Length switch
        {
            0 => Make<Moments, Unit, CountKernel<T>>(default, columns),
            1 when _projection.IsMean => Make<Mean, double, MeanKernel<T>>(new MeanKernel<T>(selectors[0]), columns),
            1 => Make<Moments, double, OneKernel<T>>(new OneKernel<T>(selectors[0]), columns),
            <= 4 => Make<Four<Moments>, Four<double>, FourKernel<T>>(new FourKernel<T>(selectors), columns),
            _ => Make<Sixteen<Moments>, Sixteen<double>, SixteenKernel<T>>(new SixteenKernel<T>(selectors), columns),
        };
        window.StandFor(this);
        return window;
    }

    private Operator<T> Make<TState, TValue, TKernel>(TKernel kernel, AggregateColumn<T>[] columns)
        where TState : struct
        where TKernel : struct, IProjectionKernel<T, TState, TValue> => columns.Length == 0
            ? Run<TState, TValue, TKernel>(kernel)
            : Run<WithCells<TState>, TValue, CellKernel<T, TState, TValue, TKernel>>(new(kernel, new CellSet<T>(columns)));

    private Operator<T> Run<TState, TValue, TKernel>(TKernel kernel)
        where TState : struct
        where TKernel : struct, IProjectionKernel<T, TState, TValue> =>
        new WindowParts<TKey, T, TState, TValue, TKernel, TResult>(
            Next, Query, spec, key, kernel, new ProjectedResult<TKey, T, TState, TValue, TKernel, TResult>(_projection, project), keys, identity, isOrdered).Build();
}
