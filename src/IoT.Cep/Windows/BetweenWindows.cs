using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Windows for one type of event: they ask about the events themselves. Made by <see cref="IoT.Cep.Window"/>.</summary>
/// <typeparam name="T">The event's type.</typeparam>
public sealed class WindowSpec<T>
{
    internal WindowSpec(WindowSpec windows) => Windows = windows;

    internal WindowSpec Windows { get; }

    /// <inheritdoc/>
    public override string ToString() => Windows.ToString();
}

/// <summary>From an event that opens a window to one that closes it.</summary>
internal sealed record BetweenWindows<T>(Func<T, bool> Opens, Func<T, bool> Closes, long Longest, long MaxEvents, bool IncludeClosing) : SortedWindows
{
    private protected override string Describe() =>
        $"between two events, at most {TimeSpan.FromTicks(Longest)}{(MaxEvents == long.MaxValue ? "" : $" or {MaxEvents} events")}";
}

internal readonly struct BetweenRule<T>(BetweenWindows<T> windows) : IWindowRule<T, Unit>
{
    public WindowTurn Take(ref Unit mark, in WindowProgress progress, in T value)
    {
        bool isOpen = progress.Count > 1;
        if (!isOpen && !windows.Opens(value))
        {
            return WindowTurn.None;
        }

        bool closes = isOpen && windows.Closes(value);
        if (closes && !windows.IncludeClosing)
        {
            return WindowTurn.Close;
        }

        return closes || progress.Count == windows.MaxEvents ? WindowTurn.Add | WindowTurn.Close : WindowTurn.Add;
    }

    public long DeadlineOf(in Unit mark, in WindowProgress progress) => Ticks.Plus(progress.Start, windows.Longest);

    public WindowTurn OnDeadline(ref Unit mark, in WindowProgress progress) => WindowTurn.Close;
}
