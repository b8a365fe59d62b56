namespace IoT.Cep.Tests;

/// <summary>A test's input as rows of time (in seconds) and value, with its watermarks.</summary>
internal static class Timeline
{
    internal static Timeline<T> Of<T>() => new();

    /// <summary>Rows of time, key and value.</summary>
    internal static Timeline<Reading> Keyed() => new();

    internal static Timeline<Reading> At(this Timeline<Reading> timeline, double seconds, string key, double value) =>
        timeline.At(seconds, new Reading(key, value));
}

internal sealed class Timeline<T>
{
    private readonly List<Row<T>> _rows = [];
    private bool _isInOrder;

    internal Timeline<T> At(double seconds, T value)
    {
        _rows.Add(new Row<T>(RowKind.Event, Span.TicksAt(seconds), value));
        return this;
    }

    internal Timeline<T> Add(Row<T> row)
    {
        _rows.Add(row);
        return this;
    }

    internal Timeline<T> Watermark(double seconds)
    {
        _rows.Add(new Row<T>(RowKind.Watermark, Span.TicksAt(seconds), default!));
        return this;
    }

    /// <summary>The source has been connected and running for so long.</summary>
    internal Timeline<T> Running(double seconds)
    {
        _rows.Add(new Row<T>(RowKind.Running, Span.TicksAt(seconds), default!));
        return this;
    }

    /// <summary>The source has no say about time any more, or has it again.</summary>
    internal Timeline<T> Released(bool isReleased = true)
    {
        _rows.Add(new Row<T>(isReleased ? RowKind.Released : RowKind.Resumed, 0, default!));
        return this;
    }

    /// <summary>The input ends.</summary>
    internal Timeline<T> End()
    {
        _rows.Add(new Row<T>(RowKind.End, 0, default!));
        return this;
    }

    /// <summary>The rows are promised to be in order of time, so that operators need not hold them.</summary>
    internal Timeline<T> InOrder()
    {
        _isInOrder = true;
        return this;
    }

    internal Scenario<T, TResult> Through<TResult>(Func<IEventStream<T>, IEventStream<TResult>> query)
    {
        var input = new Input<T>(_isInOrder);
        return new Scenario<T, TResult>([.. _rows], input, query(input.ToStream()).Node);
    }
}

internal enum RowKind
{
    Event,
    Watermark,
    Running,
    Released,
    Resumed,
    End,
}

internal readonly record struct Row<T>(RowKind Kind, long Ticks, T Value);
