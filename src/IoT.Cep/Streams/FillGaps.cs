using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A key's value at an instant of a regular grid.</summary>
/// <typeparam name="TKey">The key's type.</typeparam>
/// <param name="Key">The key.</param>
/// <param name="Time">The instant: a multiple of the step from 1970-01-01 UTC.</param>
/// <param name="Value">The value then.</param>
/// <param name="IsFilled">False where an event has exactly this time, true where the value was made of its neighbours'.</param>
public readonly record struct Filled<TKey>(TKey Key, DateTimeOffset Time, double Value, bool IsFilled);

public static partial class EventStreamExtensions
{
    private const int MaxSteps = 1_000_000;

    /// <summary>
    /// One value for each key and step of event time, at instants that are multiples of the step: an irregular series becomes a regular one. Of a gap
    /// longer than <paramref name="maxGap"/> a line fills nothing, a step its first <paramref name="maxGap"/>. Remembers a value (of a line two) for each key for
    /// so long. Late events are left out and counted; at the end of the input nothing is made up behind a key's last event. Of events at one time the last to arrive counts.
    /// </summary>
    /// <remarks>
    /// With <see cref="Interpolation.Step"/> the last value holds: an instant's value comes when the watermark has passed it, up to maxGap behind the last
    /// event. With <see cref="Interpolation.Linear"/> it needs the next event: it comes when the watermark has passed that one, since another one of its time may
    /// follow, and time goes on behind it <paramref name="maxGap"/> later, so a window over the result fires that much later. Among keys lines come in the order of
    /// the events that they lead to.
    /// </remarks>
    /// <typeparam name="TKey">The key's type.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="step">The distance of two instants.</param>
    /// <param name="value">The value of an event.</param>
    /// <param name="maxGap">
    /// With <see cref="Interpolation.Linear"/> the longest time between two events that is filled; with <see cref="Interpolation.Step"/> the longest that a
    /// value holds, in a longer gap as well. At most a million steps.
    /// </param>
    /// <param name="interpolation">What the value was between two events.</param>
    /// <param name="text">The selector's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public static IEventStream<Filled<TKey>> FillGaps<TKey, T>(
        this IKeyedStream<TKey, T> stream, TimeSpan step, Func<T, double> value, TimeSpan maxGap, Interpolation interpolation = Interpolation.Step,
        [CallerArgumentExpression(nameof(value))] string text = "")
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(value);
        Positive(step);
        TimeWindows.ThrowIfTooLong(maxGap, nameof(maxGap));
        if (maxGap < step || maxGap.Ticks / step.Ticks > MaxSteps)
        {
            throw new ArgumentOutOfRangeException(nameof(maxGap), maxGap, $"The longest gap to fill is from one step to {MaxSteps:N0} of them; the step is {step}.");
        }

        stream.Node.RequireAppendOnly("FillGaps");
        FilledCodec<TKey>.Register();
        return new FillGapsNode<TKey, T>(stream.Node, stream.Key, step, value, maxGap, interpolation, StreamExtensions.Shorten(text)).ToStream();
    }

    /// <summary>Operators behind it may have to save its results.</summary>
    private static class FilledCodec<TKey>
        where TKey : notnull
    {
        internal static void Register()
        {
            if (StateCodec.Find<TKey>() is { } key)
            {
                StateCodec.Register<Filled<TKey>>((writer, filled) => FillGapsNode.Write(writer, key, in filled), reader => FillGapsNode.Read(reader, key));
            }
        }
    }
}

internal static class FillGapsNode
{
    internal static void Write<TKey>(StateWriter writer, StateCodec<TKey> key, in Filled<TKey> filled)
    {
        key.Write(writer, filled.Key);
        writer.Int64(Ticks.From(filled.Time));
        writer.Double(filled.Value);
        writer.Boolean(filled.IsFilled);
    }

    internal static Filled<TKey> Read<TKey>(StateReader reader, StateCodec<TKey> key) =>
        new(key.Read(reader), Ticks.ToTime(reader.Int64()), reader.Double(), reader.Boolean());
}

internal sealed record FillGapsNode<TKey, T>(
    StreamNode<T> Source, KeySelector<TKey, T> Key, TimeSpan Step, Func<T, double> Value, TimeSpan MaxGap, Interpolation Interpolation, string Lambda)
    : StreamNode<T, Filled<TKey>>(Source)
    where TKey : notnull
{
    internal override string Text => $"FillGaps {Lambda} every {Step} {Key.ByTime}, {Interpolation}, gaps up to {MaxGap}";

    internal override int Depth => Input.Depth + 1;

    internal override bool IsStateless => false;

    internal override bool HasIdentity => true;

    /// <summary>A line's instants come with the event that it leads to, so those of several keys mix.</summary>
    internal override bool IsOrdered => false;

    /// <summary>How much later than the watermark an instant may still come: its next event is at most the longest gap behind the one before it.</summary>
    internal long Lag => Interpolation == Interpolation.Linear ? MaxGap.Ticks : 0;

    internal override void Build(Plan plan, Operator<Filled<TKey>> next) => plan.BuildKeyed(
        this, Input, Key, Lag == 0 ? next : plan.PartBefore(new Lines<TKey>(next, Lag), next),
        (output, keys) => new FillGapsOperator<TKey, T>(output, plan.Query, this, keys, plan.WantsIdentity));
}

internal sealed class FillGapsOperator<TKey, T>(
    Operator<Filled<TKey>> next, QueryContext query, FillGapsNode<TKey, T> node, KeyRange keys, bool identity)
    : OrderedOperator<T, Filled<TKey>>(next, query, node.Input.IsOrdered)
    where TKey : notnull
{
    private readonly OrderedOutput<Filled<TKey>> _output = new(next);

    private readonly bool _isLine = node.Interpolation == Interpolation.Linear;

    // State that checkpoints save: each key's last event (of a line that is not drawn the one before as well) and next instant, due to be forgotten when no
    // gap to the next event can be filled; and the time before which everything has been given out.
    private readonly DueKeys<TKey, Series> _series = new(node.Key.MaxKeys);
    private long _passed = long.MinValue;

    /// <summary>How many keys are remembered.</summary>
    internal int Keys => _series.Count;

    protected override void ProcessOrdered(in Batch<T> batch)
    {
        for (int i = 0; i < batch.Length; i++)
        {
            Position = i;
            var (key, value, ticks) = (node.Key.Select(batch.Events[i]), node.Value(batch.Events[i]), batch.Ticks[i]);

            // What is known of all keys goes out before any of them goes on, so that their order does not depend on where the watermark stood in between.
            PassTo(ticks);
            int index = _series.Find(key, out uint hash);

            // One tick behind the longest gap, so that a key is forgotten only when nothing can be filled any more.
            long due = Ticks.Plus(Ticks.Plus(ticks, node.MaxGap.Ticks), 1);
            if (index < 0)
            {
                index = _series.Add(key, hash, (byte)StableHash.GroupOf(key), due);
                ref var added = ref _series.StateAt(index);
                (added.Next, added.Before, added.Last) = (Ceiling(ticks), ticks, ticks);
            }
            else
            {
                _series.Postpone(index, due);
            }

            ref var series = ref _series.StateAt(index);
            if (ticks > series.Last)
            {
                (series.Before, series.BeforeValue) = (series.Last, series.Value);
                series.Next = _isLine ? series.Next : Math.Max(series.Next, Ceiling(ticks));
            }

            (series.Last, series.Value) = (ticks, value);
        }
    }

    protected override void OnTime(long watermark)
    {
        PassTo(watermark);
        _output.Flush();
    }

    protected override void OnEnd()
    {
        // Nothing comes any more, so what happened at the last instant is known; behind it, and behind a key's last event, nothing is made up.
        PassTo(Ticks.Plus(Watermark, 1));
        for (int i = _series.First; i >= 0; i = _series.NextOf(i))
        {
            Draw(i);
            EmitHeld(i, _series.StateAt(i).Last);
        }

        _output.Flush();
    }

    protected override bool OwnsOnLoad(T value) => keys.Owns(node.Key.Select, value);

    internal override void Save(StateWriter writer)
    {
        base.Save(writer);
        var codec = StateCodec.Require<TKey>();
        writer.Int64(_passed);
        writer.Int32(_series.Count);
        for (int i = _series.First; i >= 0; i = _series.NextOf(i))
        {
            codec.Write(writer, _series.KeyAt(i));
            writer.Int64(_series.DueAt(i));
            writer.Raw(in _series.StateAt(i));
        }

        _output.Save(writer, (w, filled) => FillGapsNode.Write(w, codec, in filled), (w, key) => codec.Write(w, (TKey)key!));
    }

    internal override void Load(StateReader reader)
    {
        base.Load(reader);
        var codec = StateCodec.Require<TKey>();
        _passed = Math.Max(_passed, reader.Int64());
        var loaded = new List<(TKey, byte, long, Series)>();
        for (int count = reader.Int32(); count > 0; count--)
        {
            var (key, due, series) = (codec.Read(reader), reader.Int64(), reader.Raw<Series>());
            byte group = (byte)StableHash.GroupOf(key);
            if (keys.Contains(group))
            {
                loaded.Add((key, group, due, series));
            }
        }

        _series.Merge(loaded);
        _output.Load(reader, keys, r => FillGapsNode.Read(r, codec), r => codec.Read(r));
    }

    protected override void Release()
    {
        base.Release();
        _output.Dispose();
    }

    private long Ceiling(long ticks) => Ticks.Plus(Ticks.Floor(ticks - 1, node.Step.Ticks, 0), node.Step.Ticks);

    /// <summary>
    /// Emits what is known of all keys before a time: at the time itself another event may still come. Keys stand in order of their last events, those of one
    /// time in order of arrival. Costs nothing where no event and no instant was passed.
    /// </summary>
    private void PassTo(long ticks)
    {
        if (ticks <= _passed)
        {
            return;
        }

        int i = _series.First;
        if (_isLine)
        {
            // Lines whose end had been passed are drawn already: those that are left are at the end.
            int before = _series.Last;
            for (i = DueKeys<TKey, Series>.None; before >= 0 && _series.StateAt(before).Last >= _passed; before = _series.PreviousOf(before))
            {
                i = before;
            }
        }
        else if (_passed > long.MinValue && Ceiling(_passed) >= ticks)
        {
            i = DueKeys<TKey, Series>.None;
        }

        for (; i >= 0; i = _series.NextOf(i))
        {
            if (!_isLine || _series.StateAt(i).Last < ticks)
            {
                Draw(i);
                EmitHeld(i, ticks - 1);
            }
        }

        _passed = ticks;
        while (_series.IsDue(ticks))
        {
            _series.Remove(_series.First);
        }
    }

    /// <summary>The instants that hold the last value: of a step all up to the longest gap, of a line the one that it was measured at.</summary>
    private void EmitHeld(int index, long to)
    {
        ref var series = ref _series.StateAt(index);
        long end = Math.Min(to, _isLine ? series.Last : Ticks.Plus(series.Last, node.MaxGap.Ticks));
        for (; series.Next <= end; series.Next += node.Step.Ticks)
        {
            Emit(index, series.Next, series.Value, isFilled: series.Next != series.Last);
        }
    }

    /// <summary>The line to a key's last event, once no other event of its time can come.</summary>
    private void Draw(int index)
    {
        ref var series = ref _series.StateAt(index);
        if (!_isLine || series.Before == series.Last)
        {
            return;
        }

        long width = series.Last - series.Before;
        if (width <= node.MaxGap.Ticks)
        {
            for (; series.Next < series.Last; series.Next += node.Step.Ticks)
            {
                double share = (double)(series.Next - series.Before) / width;
                Emit(index, series.Next, (series.BeforeValue * (1 - share)) + (series.Value * share), isFilled: true);
            }
        }

        series.Next = Math.Max(series.Next, Ceiling(series.Last));
        series.Before = series.Last;
    }

    private void Emit(int index, long ticks, double value, bool isFilled)
    {
        var filled = new Filled<TKey>(_series.KeyAt(index), Ticks.ToTime(ticks), value, isFilled);

        // Lines go out in order of the events that they lead to: when such a one is passed is the same wherever the watermark stops.
        long order = _isLine ? _series.StateAt(index).Last : ticks;
        if (identity)
        {
            _output.Add(filled, order, _series.GroupAt(index), new ResultId(filled.Key, ticks, ticks, 0), EventKind.Insert);
        }
        else
        {
            _output.Add(filled, order, _series.GroupAt(index));
        }
    }

    private struct Series
    {
        internal long Last;
        internal long Next;
        internal double Value;

        // Of a line that is not drawn yet the event that it begins at; otherwise its time is the last event's.
        internal long Before;
        internal double BeforeValue;
    }
}

/// <summary>
/// What comes out of lines, behind all shards: until here results have the time of the event that their line leads to, which puts them in order, and from here
/// on their own. Time goes on so much later.
/// </summary>
internal sealed class Lines<TKey>(Operator<Filled<TKey>> next, long lag) : Operator<Filled<TKey>>
    where TKey : notnull
{
    private long[] _ticks = [];

    internal override void OnEvents(in Batch<Filled<TKey>> batch)
    {
        if (_ticks.Length < batch.Length)
        {
            _ticks = new long[Math.Max(batch.Length, _ticks.Length * 2)];
        }

        for (int i = 0; i < batch.Length; i++)
        {
            _ticks[i] = Ticks.From(batch.Events[i].Time);
        }

        next.OnEvents(new Batch<Filled<TKey>>(batch.Events, _ticks.AsSpan(0, batch.Length)) { Ids = batch.Ids, Kinds = batch.Kinds, Groups = batch.Groups });
    }

    internal override void OnWatermark(long watermark) => next.OnWatermark(Ticks.Minus(watermark, lag));

    internal override void OnReleased(bool isReleased) => next.OnReleased(isReleased);

    internal override void OnCompleted() => next.OnCompleted();

    internal override void OnError(Exception error) => next.OnError(error);
}
