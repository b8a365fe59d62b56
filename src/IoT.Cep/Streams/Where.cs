using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>The verbs of event streams.</summary>
public static partial class EventStreamExtensions
{
    /// <summary>
    /// Keeps the events for which the predicate is true. Remembers nothing; late events pass like any other. A correction that no longer passes takes its
    /// result back (<see cref="EventKind.Retract"/>), so what ends such a stream must take retractions.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="predicate">Asked once for each event, on the thread that runs the query.</param>
    /// <param name="text">The predicate's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public static IEventStream<T> Where<T>(
        this IEventStream<T> stream, Func<T, bool> predicate, [CallerArgumentExpression(nameof(predicate))] string text = "")
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(predicate);
        return new EventStream<T>(new WhereNode<T, FuncTest<T>>(stream.Node, new FuncTest<T>(predicate), text));
    }

    /// <inheritdoc cref="Where{T}(IEventStream{T}, Func{T, bool}, string)"/>
    /// <typeparam name="TKey">The key's type; the stream stays keyed.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    public static IKeyedStream<TKey, T> Where<TKey, T>(
        this IKeyedStream<TKey, T> stream, Func<T, bool> predicate, [CallerArgumentExpression(nameof(predicate))] string text = "")
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(predicate);
        return new KeyedStream<TKey, T>(new WhereNode<T, FuncTest<T>>(stream.Node, new FuncTest<T>(predicate), text), stream.Key);
    }

    /// <summary>Keeps the events for which a structured predicate is true: <c>Where(Reading.Fields.Celsius &gt; 70)</c>.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="stream">The stream.</param>
    /// <param name="predicate">The predicate: a value that can be printed, shared and saved.</param>
    public static IEventStream<T> Where<T>(this IEventStream<T> stream, Predicate<T> predicate)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(predicate);
        return new EventStream<T>(new WhereNode<T, FieldTest<T>>(stream.Node, new FieldTest<T>(predicate.Test), predicate.ToString()));
    }

    /// <inheritdoc cref="Where{T}(IEventStream{T}, Predicate{T})"/>
    /// <typeparam name="TKey">The key's type; the stream stays keyed.</typeparam>
    /// <typeparam name="T">The event's type.</typeparam>
    public static IKeyedStream<TKey, T> Where<TKey, T>(this IKeyedStream<TKey, T> stream, Predicate<T> predicate)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(predicate);
        return new KeyedStream<TKey, T>(
            new WhereNode<T, FieldTest<T>>(stream.Node, new FieldTest<T>(predicate.Test), predicate.ToString()), stream.Key);
    }
}

internal sealed record WhereNode<T, TTest>(StreamNode<T> Source, TTest Test, string Predicate) : StreamNode<T, T>(Source)
    where TTest : struct, ITest<T>
{
    internal override string Text => $"Where {StreamExtensions.Shorten(Predicate)}";

    // A correction may fail where what it corrects has passed.
    internal override bool CanRetract => Input.IsUpdating;

    internal override void Build(Plan plan, Operator<T> next) =>
        Input.Build(plan, plan.Add(this, new WhereOperator<T, TTest>(next, plan.Query, Test), next));
}

/// <summary>Branch-free: every event is stored, and the predicate decides whether the next one is stored over it.</summary>
internal sealed class WhereOperator<T, TTest>(Operator<T> next, QueryContext query, TTest test) : Operator<T, T>(next, query)
    where TTest : struct, ITest<T>
{
    private readonly BatchBuilder<T> _output = new();

    protected override bool IsAtomic => true;

    protected override void Process(in Batch<T> batch)
    {
        _output.Begin(in batch);
        _output.Count = batch.Ids.IsEmpty && batch.Kinds.IsEmpty && batch.Groups.IsEmpty ? Filter(in batch) : FilterAll(in batch);
        if (_output.Count > 0)
        {
            Next.OnEvents(_output.Batch);
        }
    }

    protected override void Release() => _output.Dispose();

    private int Filter(in Batch<T> batch)
    {
        var events = batch.Events;
        var ticks = batch.Ticks[..events.Length];
        var keptEvents = _output.Events.AsSpan(0, events.Length);
        var keptTicks = _output.Ticks.AsSpan(0, events.Length);
        var decide = test;
        int count = 0;
        for (int i = 0; i < events.Length; i++)
        {
            keptEvents[count] = events[i];
            keptTicks[count] = ticks[i];
            count += decide.Test(in events[i]) ? 1 : 0;
        }

        return count;
    }

    private int FilterAll(in Batch<T> batch)
    {
        int count = 0;
        for (int i = 0; i < batch.Length; i++)
        {
            var kind = batch.Kinds.IsEmpty ? EventKind.Insert : batch.Kinds[i];
            bool passes = kind == EventKind.Retract || test.Test(in batch.Events[i]);
            if (!passes && kind != EventKind.Update)
            {
                continue;
            }

            _output.Events[count] = batch.Events[i];
            _output.Ticks[count] = batch.Ticks[i];
            _output.CopyOptional(in batch, i, count);
            if (!passes)
            {
                // Nobody here remembers whether the result that it corrects had passed; to take back what was never given harms nobody.
                _output.Kinds[count] = EventKind.Retract;
            }

            count++;
        }

        return count;
    }
}

/// <summary>A condition without a virtual call, whichever way it was written.</summary>
internal interface ITest<T>
{
    bool Test(in T value);
}

internal readonly struct FuncTest<T>(Func<T, bool> predicate) : ITest<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Test(in T value) => predicate(value);
}

internal readonly struct FieldTest<T>(EventTest<T> predicate) : ITest<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Test(in T value) => predicate(in value);
}
