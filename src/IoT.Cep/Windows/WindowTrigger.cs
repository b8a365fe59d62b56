namespace IoT.Cep
{
    using IoT.Cep.Extensibility;

    /// <summary>The usual triggers of <see cref="Window.Global{T}"/>.</summary>
    public static class WindowTrigger
    {
        /// <summary>Fires at every so manieth event.</summary>
        /// <typeparam name="T">The event's type.</typeparam>
        /// <param name="count">How many events.</param>
        /// <param name="keep">Whether the window goes on with what it has, so that results are running ones; otherwise it begins anew.</param>
        public static WindowTrigger<T> EveryEvents<T>(int count, bool keep = false)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
            return new CountTrigger<T>(count, keep ? TriggerAction.Fire : TriggerAction.FireAndClear);
        }

        /// <summary>Fires so long after the window's first event, and each such time again; not where no event has come since it fired last.</summary>
        /// <typeparam name="T">The event's type.</typeparam>
        /// <param name="interval">How long.</param>
        /// <param name="keep">Whether the window goes on with what it has, so that results are running ones; otherwise it begins anew.</param>
        public static WindowTrigger<T> Every<T>(TimeSpan interval, bool keep = false)
        {
            ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(interval, TimeSpan.Zero);
            TimeWindows.ThrowIfTooLong(interval, nameof(interval));
            return new TimeTrigger<T>(interval, keep ? TriggerAction.Fire : TriggerAction.FireAndClear);
        }

        /// <summary>Fires at each event that meets a condition; it is in the result.</summary>
        /// <typeparam name="T">The event's type.</typeparam>
        /// <param name="condition">The condition.</param>
        /// <param name="keep">Whether the window goes on with what it has, so that results are running ones; otherwise it begins anew.</param>
        public static WindowTrigger<T> When<T>(Func<T, bool> condition, bool keep = false)
        {
            ArgumentNullException.ThrowIfNull(condition);
            return new ConditionTrigger<T>(condition, keep ? TriggerAction.Fire : TriggerAction.FireAndClear);
        }
    }

    internal sealed class CountTrigger<T>(int count, TriggerAction action) : WindowTrigger<T, Unit>
    {
        public override TriggerAction OnEvent(ref Unit state, in T value, in TriggerContext context) =>
            context.Count % count == 0 ? action : TriggerAction.Continue;

        public override string ToString() => $"every {count} events";
    }

    internal sealed class ConditionTrigger<T>(Func<T, bool> condition, TriggerAction action) : WindowTrigger<T, Unit>
    {
        public override TriggerAction OnEvent(ref Unit state, in T value, in TriggerContext context) =>
            condition(value) ? action : TriggerAction.Continue;

        public override string ToString() => "on a condition";
    }

    /// <summary>The state is the time asked for, or 0 while no event has come since the last firing.</summary>
    internal sealed class TimeTrigger<T>(TimeSpan interval, TriggerAction action) : WindowTrigger<T, long>
    {
        public override TriggerAction OnEvent(ref long state, in T value, in TriggerContext context)
        {
            if (state == 0)
            {
                long start = context.Start.UtcTicks;
                state = Ticks.Plus(Ticks.Floor(context.Time.UtcTicks, interval.Ticks, start), interval.Ticks);
            }

            return TriggerAction.Continue;
        }

        public override TriggerAction OnTime(ref long state, in TriggerContext context)
        {
            state = 0;
            return action;
        }

        public override DateTimeOffset? NextTime(in long state, in TriggerContext context) =>
            state == 0 || state > DateTimeOffset.MaxValue.UtcTicks ? null : new DateTimeOffset(state, TimeSpan.Zero);

        public override string ToString() => $"every {interval}";
    }
}

namespace IoT.Cep.Extensibility
{
    /// <summary>What a global window does.</summary>
    public enum TriggerAction
    {
        /// <summary>Nothing.</summary>
        Continue,

        /// <summary>Gives a result and goes on with what it has.</summary>
        Fire,

        /// <summary>Gives a result and begins anew.</summary>
        FireAndClear,
    }

    /// <summary>Where a global window stands when its trigger is asked.</summary>
    public readonly struct TriggerContext
    {
        private readonly WindowProgress _progress;

        internal TriggerContext(in WindowProgress progress) => _progress = progress;

        /// <summary>The time of the window's first event, in UTC.</summary>
        public DateTimeOffset Start => Ticks.ToTime(_progress.Start);

        /// <summary>The event's time, or the time that the trigger asked for, in UTC.</summary>
        public DateTimeOffset Time => Ticks.ToTime(_progress.Time);

        /// <summary>How many events the window has, with the one that came.</summary>
        public long Count => _progress.Count;

        /// <summary>
        /// The watermark at the moment, in UTC. Where it stands when an event is seen depends on how events were batched: a trigger that decides by it
        /// gives up that results are the same each time.
        /// </summary>
        public DateTimeOffset Watermark => Ticks.ToTime(_progress.Watermark);
    }

    /// <summary>Says when a global window gives its result. Derive from <see cref="WindowTrigger{T, TState}"/>.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    public abstract class WindowTrigger<T>
    {
        private protected WindowTrigger()
        {
        }

        internal abstract Operator<T> Build<TKey, TCells, TValue, TKernel, TResult>(WindowParts<TKey, T, TCells, TValue, TKernel, TResult> parts)
            where TKey : notnull
            where TCells : struct
            where TKernel : struct, IWindowKernel<T, TCells, TValue>;
    }

    /// <summary>
    /// Says when a global window gives its result, by the events it sees and a state of its own for each key, which is saved with the query. The
    /// trigger itself serves all keys and shards: it holds parameters and nothing that changes.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <typeparam name="TState">
    /// What it remembers of a window, beginning with the default value and forgotten when the window begins anew. A struct without references, or one
    /// with a registered <see cref="StateCodec"/>.
    /// </typeparam>
    public abstract class WindowTrigger<T, TState> : WindowTrigger<T>
        where TState : struct
    {
#pragma warning disable RS0022 // the base is closed so that this is the one way to derive from it
        /// <summary>Makes a trigger.</summary>
        protected WindowTrigger()
        {
        }
#pragma warning restore RS0022

        /// <summary>An event has come, in order of time. Where this throws, the event is in no window and the state is as it was.</summary>
        /// <param name="state">What is remembered of the window.</param>
        /// <param name="value">The event.</param>
        /// <param name="context">Where the window stands.</param>
        public abstract TriggerAction OnEvent(ref TState state, in T value, in TriggerContext context);

        /// <summary>The time that was asked for has come: the watermark has reached it, or an event of the key that is not before it.</summary>
        /// <param name="state">What is remembered of the window.</param>
        /// <param name="context">Where the window stands.</param>
        public virtual TriggerAction OnTime(ref TState state, in TriggerContext context) => TriggerAction.Continue;

        /// <summary>
        /// When <see cref="OnTime"/> is to be called if no event comes before; null, as by default, for never. Asked after each event and each time,
        /// unless the window began anew; a time that is not later than those is the next tick.
        /// </summary>
        /// <param name="state">What is remembered of the window.</param>
        /// <param name="context">Where the window stands.</param>
        public virtual DateTimeOffset? NextTime(in TState state, in TriggerContext context) => null;

        internal sealed override Operator<T> Build<TKey, TCells, TValue, TKernel, TResult>(WindowParts<TKey, T, TCells, TValue, TKernel, TResult> parts) =>
            parts.Sorted<TState, TriggerRule<T, TState>>(new(this));
    }
}
