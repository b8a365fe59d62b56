namespace IoT.Reference.Devices.Links;

/// <summary>Pauses between attempts: they double from half a second to a minute, and half of each is random, so that a fleet that was cut off does not come back at one instant.</summary>
internal sealed class Retry(Random random, TimeProvider timeProvider)
{
    private static readonly TimeSpan _first = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan _longest = TimeSpan.FromMinutes(1);
    private TimeSpan _next = _first;

    public void Succeeded() => _next = _first;

    public Task PauseAsync(CancellationToken stop)
    {
        TimeSpan pause = _next / 2 + (_next / 2 * random.NextDouble());
        _next = _next * 2 < _longest ? _next * 2 : _longest;
        return Task.Delay(pause, timeProvider, stop);
    }
}
