using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>One window a key; a trigger says when it fires.</summary>
internal sealed record GlobalWindows<T>(WindowTrigger<T> Trigger) : SortedWindows
{
    private protected override string Describe() => $"global, {Trigger}";
}

internal readonly struct TriggerRule<T, TState>(WindowTrigger<T, TState> trigger) : IWindowRule<T, TState>
    where TState : struct
{
    public WindowTurn Take(ref TState mark, in WindowProgress progress, in T value) =>
        WindowTurn.Add | TurnOf(trigger.OnEvent(ref mark, in value, new TriggerContext(in progress)));

    public long DeadlineOf(in TState mark, in WindowProgress progress) =>
        trigger.NextTime(in mark, new TriggerContext(in progress)) is { } next
            ? Math.Max(Ticks.From(next), Ticks.Plus(progress.Time, 1))
            : long.MaxValue;

    public WindowTurn OnDeadline(ref TState mark, in WindowProgress progress) => TurnOf(trigger.OnTime(ref mark, new TriggerContext(in progress)));

    private static WindowTurn TurnOf(TriggerAction action) => action switch
    {
        TriggerAction.Continue => WindowTurn.None,
        TriggerAction.Fire => WindowTurn.Fire,
        TriggerAction.FireAndClear => WindowTurn.Close,
        _ => throw new InvalidOperationException($"A trigger gave {action}, which is no {nameof(TriggerAction)}."),
    };
}
