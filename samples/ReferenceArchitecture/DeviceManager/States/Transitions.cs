using System.Text;

namespace IoT.Reference.DeviceManager.States;

/// <summary>A state machine as the table of what may happen; what does not stand in it does not happen.</summary>
internal sealed class Transitions<TState, TCause>
    where TState : struct, Enum
    where TCause : struct, Enum
{
    private readonly Dictionary<(TState, TCause), TState> _next = [];

    public Transitions(params IReadOnlyList<(TState From, TCause Cause, TState To)> rows)
    {
        Rows = rows;
        foreach (var (from, cause, to) in rows)
        {
            _next.Add((from, cause), to);
        }
    }

    public IReadOnlyList<(TState From, TCause Cause, TState To)> Rows { get; }

    /// <summary>Where it goes; null: that can't happen there.</summary>
    public TState? Next(TState from, TCause cause) => _next.TryGetValue((from, cause), out var to) ? to : null;

    /// <summary>The table as a diagram: what the layer's README shows.</summary>
    public string Mermaid()
    {
        var text = new StringBuilder("stateDiagram-v2\n");
        foreach (var (from, cause, to) in Rows)
        {
            text.Append("    ").Append(from).Append(" --> ").Append(to).Append(": ").Append(cause).Append('\n');
        }

        return text.ToString();
    }
}
