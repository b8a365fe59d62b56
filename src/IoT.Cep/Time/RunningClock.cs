namespace IoT.Cep;

/// <summary>Time while a source partition is connected and not held back: only that counts as silence.</summary>
/// <remarks>
/// Looked at from time to time. A stretch between two looks counts only if nothing interrupted it anywhere: less may count than could, never more.
/// </remarks>
internal sealed class RunningClock(TimeProvider clock, bool isConnected)
{
    private TimeSpan _lastEvent;
    private long _lastLook = clock.GetTimestamp();
    private long _disconnected = clock.GetTimestamp();
    private bool _interrupted;

    internal bool IsConnected { get; private set; } = isConnected;

    /// <summary>Connected running time in all.</summary>
    internal TimeSpan Running { get; private set; }

    /// <summary>Connected running time since the last event.</summary>
    internal TimeSpan SilentFor => Running - _lastEvent;

    /// <summary>For how long there has been no connection.</summary>
    internal TimeSpan AwayFor => IsConnected ? TimeSpan.Zero : clock.GetElapsedTime(_disconnected);

    internal void SetConnected(bool connected)
    {
        Look(held: false);
        _disconnected = IsConnected && !connected ? clock.GetTimestamp() : _disconnected;
        IsConnected = connected;
    }

    internal void OnEvent()
    {
        Look(held: false);
        _lastEvent = Running;
    }

    /// <summary>Events are held back at this moment: the stretch from the last look to the next does not count.</summary>
    internal void Interrupt() => _interrupted = true;

    /// <param name="held">Whether events are held back at this moment.</param>
    internal void Look(bool held)
    {
        long now = clock.GetTimestamp();
        if (IsConnected && !_interrupted && !held)
        {
            Running += clock.GetElapsedTime(_lastLook, now);
        }

        _lastLook = now;
        _interrupted = held;
    }
}
