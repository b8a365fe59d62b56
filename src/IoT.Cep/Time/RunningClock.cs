namespace IoT.Cep;

/// <summary>Time while a source is connected and not held back: only that counts as silence.</summary>
internal sealed class RunningClock(TimeProvider clock, bool isConnected)
{
    private TimeSpan _silentFor;
    private long _lastLook = clock.GetTimestamp();

    internal bool IsConnected { get; private set; } = isConnected;

    internal void SetConnected(bool connected)
    {
        Look(wasRunning: IsConnected);
        IsConnected = connected;
    }

    internal void OnEvent()
    {
        _silentFor = TimeSpan.Zero;
        _lastLook = clock.GetTimestamp();
    }

    internal TimeSpan SinceLastEvent(bool held)
    {
        Look(IsConnected && !held);
        return _silentFor;
    }

    private void Look(bool wasRunning)
    {
        long now = clock.GetTimestamp();
        _silentFor += wasRunning ? clock.GetElapsedTime(_lastLook, now) : TimeSpan.Zero;
        _lastLook = now;
    }
}
