using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

public static partial class EventStreamExtensions
{
    /// <summary>
    /// Makes an event stream of any observable: in place, on the observable's thread, with no engine. One event after the other, as Rx's
    /// grammar promises.
    /// </summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="source">The observable.</param>
    /// <param name="time">The event's time.</param>
    /// <param name="maxDisorder">How much earlier than the latest event an event may be and still be on time; zero by default.</param>
    /// <param name="text">The selector's source text, for <c>Explain</c>; the compiler fills it in.</param>
    public static IEventStream<T> ToEventStream<T>(
        this IObservable<T> source, Func<T, DateTimeOffset> time, TimeSpan maxDisorder = default, [CallerArgumentExpression(nameof(time))] string text = "")
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(time);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxDisorder, TimeSpan.Zero);
        return new EventTimeNode<T>(
            new ObservableNode<T>(source),
            EventTimeSpec<T>.Default with { Select = time, MaxDisorder = maxDisorder, Text = StreamExtensions.Shorten(text) }).ToStream();
    }
}

internal sealed record ObservableNode<T>(IObservable<T> Source) : StreamNode<T>
{
    internal override string Text => "Observable";

    internal override CepEngine? Engine => null;

    internal override bool BeginsAtOneSource => true;

    internal override void Build(Plan plan, Operator<T> next) => plan.AddStart(() => Source.Subscribe(new Feed(plan, next)));

    private sealed class Feed(Plan plan, Operator<T> next) : IObserver<T>
    {
        private static readonly long[] _untimed = [0];
        private bool _stopped;

        public void OnNext(T value)
        {
            plan.Enter();
            try
            {
                if (!_stopped)
                {
                    next.OnEvents(new Batch<T>(new ReadOnlySpan<T>(in value), _untimed));
                }
            }
            catch (QueryException error)
            {
                OnError(error);
            }
            finally
            {
                plan.Leave();
            }
        }

        public void OnError(Exception error)
        {
            plan.Enter();
            try
            {
                if (!_stopped)
                {
                    _stopped = true;
                    next.OnError(error);
                }
            }
            finally
            {
                plan.Leave();
            }
        }

        public void OnCompleted()
        {
            plan.Enter();
            try
            {
                if (!_stopped)
                {
                    _stopped = true;
                    next.OnCompleted();
                }
            }
            catch (QueryException error)
            {
                next.OnError(error);
            }
            finally
            {
                plan.Leave();
            }
        }
    }
}
