using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Windows per event, behind a <see cref="SortOperator{T}"/>: events come in order of time, so that all keys' events stand in one queue, which says
/// whose window is complete and who has left.
/// </summary>
/// <remarks>
/// Events out of order are sorted first, up to the watermark, for O(log n) each. FiBA (Tangwongsan, Hirzel and Schneider, "Optimal and general
/// out-of-order sliding-window aggregation", VLDB 2019) takes them into a tree of states for O(log d) each, d being how far one is out of order. Results
/// here wait for the watermark in any case, and behind the watermark nothing comes, so a tree would do the same work over states that the sort does
/// over events, and a stream in order would pay for it.
/// </remarks>
internal sealed partial class PerEventOperator<TKey, T, TResult, TState, TItem, TWindow, TMore, TStates>(
    PerEventParts<TKey, T, TResult, TState> parts, EventQueue<TMore> events, TStates states)
    : Operator<T, TResult>(parts.Next, parts.Query), IPerEventWindows
    where TKey : notnull
    where TState : struct
    where TWindow : struct
    where TMore : struct
    where TStates : struct, ISlidingStates<T, TState, TItem, TWindow, TMore>
{
    private const int MinTidyAt = 1024; // a pass over fewer is not worth it
    private const int FewKeys = 8_192; // so many keys' windows stay in the second cache
    private const int FewTogether = 3; // up to here one by one
    private const int MaxAhead = 256; // events whose windows are asked for before the first of them is used
    private const int Near = 12; // results or events until memory has answered
    private const int FewResults = 3; // up to here one by one
    private const int FewPeers = 12; // up to here moving them one by one is cheaper than counting by group

    private readonly PerEventWindows _windows = parts.Windows;
    private readonly KeySelector<TKey, T> _key = parts.Key;
    private readonly WindowOutput<TKey, TState, TResult> _output = new(parts.Next, parts.Result, parts.Identity);
    private readonly IResultsAtOnce<TKey, TState, TResult>? _atOnce = TStates.IsPlain ? parts.Result.AtOnce : null;
    private int[] _order = [];

    // What was selected ahead, and the places of the keys.
    private TKey[] _ids = [];
    private TItem[] _items = [];
    private int[] _places = [];

    // State that checkpoints save: the time, the keys' windows, and the events of all of them in order of time.
    private long _now = long.MinValue;
    private readonly WindowKeys<TKey, TWindow> _keys = new(parts.Key.MaxKeys);
    private readonly EventQueue<TMore> _events = events;
    private readonly TStates _states = states;

    // The events of one time, how many results they have that were not given out before, and which of these is being made, so that giving out goes on behind a projection that threw.
    private int _run;
    private int _results;
    private int _runAt;
    private TState _sum;

    // How many results of this time each key has had, where they carry an identity.
    private int[] _ordinals = [];

    // The part of these results whose states stand side by side.
    private ReadyWindow<TKey, TState>[] _sums = [];
    private int _partFrom;
    private int _partEnd;

    // How many events of each place were given up before their time, and of all: the queue still names them.
    private int[] _droppedOf = [];
    private int _dropped;
    private int _tidyAt = MinTidyAt;

    /// <summary>Begins to keep what the projection asks for.</summary>
    internal Operator<T> KeepingAsked()
    {
        parts.Use?.Keep(_states.Kept, Widen);
        return this;
    }

    public (int Keys, int Events, int Blocks) Held => (_keys.Count, _events.Count, _states.UsedBlocks);

    internal override bool IsStateful => true;

    private static bool SelectsAhead => !RuntimeHelpers.IsReferenceOrContainsReferences<TItem>();

    protected override bool IsGivingOut => _run > 0;

    protected override void Process(in Batch<T> batch)
    {
        var ticks = batch.Ticks[..batch.Length];
        for (int i = 0; i < ticks.Length;)
        {
            Position = i;
            long time = ticks[i];
            if (time > _now)
            {
                PassTo(time);
            }

            int end = EndOfRun(ticks, i);
            if (SelectsAhead && end - i > FewTogether)
            {
                TakeMany(in batch, i, Math.Min(end, i + MaxAhead));
                i = Math.Min(end, i + MaxAhead);
            }
            else
            {
                Take(in batch, i, end);
                i = end;
            }
        }
    }

    /// <summary>The first event behind one that has another time: most have a time of their own, or many have one.</summary>
    private static int EndOfRun(ReadOnlySpan<long> ticks, int start)
    {
        long time = ticks[start];
        if (start + 1 < ticks.Length && ticks[start + 1] != time)
        {
            return start + 1;
        }

        int length = ticks[start..].IndexOfAnyExcept(time);
        return length < 0 ? ticks.Length : start + length;
    }

    protected override void Advance(long watermark)
    {
        PassTo(watermark);
        _output.Flush();
        Next.OnWatermark(watermark);
    }

    protected override void Complete()
    {
        PassTo(long.MaxValue);
        _output.Flush();
        Next.OnCompleted();
    }

    internal override void Save(StateWriter writer)
    {
        var keyCodec = StateCodec.Require<TKey>();
        var numbers = new Dictionary<int, int>();
        writer.Int64(_now);
        writer.Int32(_keys.Count);
        if (_keys.Count > 0)
        {
            writer.Byte(TStates.Form);
            _states.SaveCommon(writer);
        }

        foreach (int place in _keys.Taken())
        {
            numbers.Add(place, numbers.Count);
            ref var key = ref _keys.At(place);
            keyCodec.Write(writer, key.Key);
            writer.Int32(DroppedOf(place));
            _states.Save(writer, ref key.State);
        }

        writer.Int32(_events.Count);
        foreach (var (ticks, entry, waits) in _events.All())
        {
            writer.Int64(ticks);
            writer.Int32(numbers[entry.Place]);
            writer.Boolean(waits);
            _states.SaveEvent(writer, in entry.More);
        }

        _output.Save(writer);
    }

    internal override void Load(StateReader reader)
    {
        _now = Math.Max(_now, reader.Int64());
        int[] places = new int[reader.Int32()];
        if (places.Length > 0)
        {
            LoadKeys(reader, places);
        }

        var events = new List<(long Ticks, EventQueue<TMore>.Entry Entry, bool Waits)>();
        for (int count = reader.Int32(); count > 0; count--)
        {
            long ticks = reader.Int64();
            EventQueue<TMore>.Entry entry = default;
            int place = places[reader.Int32()];
            bool waits = reader.Boolean();
            entry.More = _states.LoadEvent(reader);
            if (place >= 0)
            {
                entry.Place = place;
                events.Add((ticks, entry, waits));
            }
        }

        _events.Load(events);
        _states.Relink(_keys);
        parts.Use?.Keep(_states.Kept, Widen);
        if (!reader.AtEnd)
        {
            // A window that was made late has no more than its time.
            _output.Load(reader, parts.Keys);
        }
    }

    protected override void Release()
    {
        _output.Dispose();
        _states.Dispose();
        _events.Dispose();
        Pooled.Return(ref _order, 0);
        Pooled.Return(ref _ids, _ids.Length);
        Pooled.Return(ref _items, 0);
        Pooled.Return(ref _sums, _sums.Length);
        Pooled.Return(ref _ordinals, 0);
        Pooled.Return(ref _places, 0);
    }

    private void LoadKeys(StateReader reader, int[] places)
    {
        if (reader.Byte() != TStates.Form)
        {
            throw new InvalidOperationException(
                "The saved state belongs to other windows: whether the oldest event gives way at the limit was changed. Give the changed query a new name.");
        }

        _states.LoadCommon(reader);
        for (int i = 0; i < places.Length; i++)
        {
            var id = StateCodec.Require<TKey>().Read(reader);
            int dropped = reader.Int32();
            TWindow window = default;
            _states.Load(reader, ref window);
            if (parts.Keys.Contains(StableHash.GroupOf(id)))
            {
                places[i] = _keys.Add(id);
                _keys.At(places[i]).State = window;
                Drop(places[i], dropped);
            }
            else
            {
                places[i] = -1;
                _states.Clear(ref window);
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void MakeRoom(TKey id, int place)
    {
        if (_windows.WhenFull == WindowOverflow.Fail)
        {
            throw new WindowLimitException(id, _windows.MaxEventsPerKey);
        }

        _states.Pop(ref _keys.At(place).State, place, 0, default);
        Drop(place, 1);
        Interlocked.Increment(ref Query.DroppedWindowEvents);

        // The queue names those that were dropped until their time; they may not become most of it.
        if (_dropped > _tidyAt && _dropped * 2 > _events.Count)
        {
            _events.RemoveWhere(this, static (at, entry, waits) => !waits && at.TryForgetDropped(entry.Place));

            // Those that still wait for their results stay, however often one looks.
            _tidyAt = Math.Max(MinTidyAt, _dropped * 2);
        }
    }

    private int DroppedOf(int place) => place < _droppedOf.Length ? _droppedOf[place] : 0;

    private void Drop(int place, int count)
    {
        if (count == 0)
        {
            return;
        }

        if (place >= _droppedOf.Length)
        {
            Array.Resize(ref _droppedOf, Math.Max(place + 1, _droppedOf.Length * 2));
        }

        _droppedOf[place] += count;
        _dropped += count;
    }

    /// <summary>A key's dropped events are its first ones in the queue.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryForgetDropped(int place)
    {
        if (DroppedOf(place) == 0)
        {
            return false;
        }

        _droppedOf[place]--;
        _dropped--;
        return true;
    }
}

/// <summary>What windows per event hold.</summary>
internal interface IPerEventWindows
{
    /// <summary>How many keys and events are held, and how many blocks of states.</summary>
    (int Keys, int Events, int Blocks) Held { get; }
}
