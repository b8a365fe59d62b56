namespace IoT.Cep.EndToEnd.Tests;

/// <summary>Waits for something that another process or thread does: looks again each time the timer ticks, and gives up loudly.</summary>
internal static class Until
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(60);

    internal static async Task True(Func<bool> condition, string what)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        using var patience = new CancellationTokenSource(_patience);
        while (!condition())
        {
            try
            {
                await timer.WaitForNextTickAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"Waited {_patience.TotalSeconds} s in vain until {what}.");
            }
        }
    }
}
