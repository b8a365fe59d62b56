using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Finds a projection's aggregates on the first event, and then runs the window with the cheapest kernel that serves them.</summary>
internal sealed class ProjectionOperator<TKey, T, TResult>(
    Operator<TResult> next, QueryContext query, WindowSpec spec, KeySelector<TKey, T> key, Func<WindowGroup<TKey, T>, TResult> project,
    KeyRange keys, bool identity) : Operator<T, TResult>(next, query)
    where TKey : notnull
{
    private readonly Projection<T> _projection = new();

    // State that checkpoints save: the selectors' texts, and the window that runs.
    private Operator<T>? _window;
    private ReadOnlyMemory<byte>[] _restored = [];
    private long _watermark = long.MinValue;

    internal override bool IsStateful => true;

    protected override void Process(in Batch<T> batch)
    {
        // The first event at which the projection or a selector does not throw tells which aggregates there are.
        for (Position = 0; !_projection.IsBound && Position < batch.Length;)
        {
            long start = spec.StartOf(batch.Ticks[Position]);
            var value = batch.Events[Position];
            _projection.Record(project, new WindowInfo<TKey>(key.Select(value), start, start + spec.Size.Ticks, isUpdate: false), value);
            var old = _window;
            _window = Make(_projection.Functions);
            MoveState(old);
        }

        _window!.OnEvents(batch.Slice(Position, batch.Length - Position));
    }

    protected override void Advance(long watermark)
    {
        _watermark = watermark;
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
        if (_window is null)
        {
            Next.OnCompleted();
        }
        else
        {
            _window.OnCompleted();
        }
    }

    internal override void Save(StateWriter writer)
    {
        writer.Int64(_watermark);
        writer.Boolean(_window is not null);
        if (_window is not null)
        {
            writer.Int32(_projection.Count);
            foreach (string text in _projection.Texts)
            {
                writer.Text(text);
            }

            var inner = new StateWriter();
            _window.Save(inner);
            writer.Bytes(inner.Written.Span);
        }
    }

    internal override void Load(StateReader reader)
    {
        _watermark = Math.Max(_watermark, reader.Int64());
        if (!reader.Boolean())
        {
            return;
        }

        string[] texts = [.. Enumerable.Range(0, reader.Int32()).Select(_ => reader.Text()!)];
        _restored = [.. _restored, reader.Bytes()];
        if (_window is null)
        {
            _projection.Restore(texts);

            // No event can come to it before the selectors are bound again.
            _window = Make([.. texts.Select(_ => (Func<T, double>)(static _ => throw new System.Diagnostics.UnreachableException()))]);
        }

        _window.Load(new StateReader(_restored[^1]));
    }

    protected override void Release() => _window?.Dispose();

    private void MoveState(Operator<T>? old)
    {
        var state = new StateWriter();
        if (old is null)
        {
            // A window that was made late has missed the watermarks so far.
            if (_watermark != long.MinValue)
            {
                state.Int64(_watermark);
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

    private Operator<T> Make(Func<T, double>[] selectors)
    {
        Operator<T> window = selectors.Length switch
        {
            0 => Tumbling<Moments, Unit, CountKernel<T>>(default),
            1 => Tumbling<Moments, double, OneKernel<T>>(new OneKernel<T>(selectors[0])),
            <= 4 => Tumbling<Four<Moments>, Four<double>, FourKernel<T>>(new FourKernel<T>(selectors)),
            _ => Tumbling<Sixteen<Moments>, Sixteen<double>, SixteenKernel<T>>(new SixteenKernel<T>(selectors)),
        };
        window.Info = Info;
        return window;
    }

    private TumblingOperator<TKey, T, TState, TValue, TKernel, TResult> Tumbling<TState, TValue, TKernel>(TKernel kernel)
        where TState : struct
        where TKernel : struct, IWindowKernel<T, TState, TValue> => new(
            Next, Query, spec, key, kernel, new ProjectedResult<TKey, T, TState, TResult>(_projection, project), keys, identity);
}
