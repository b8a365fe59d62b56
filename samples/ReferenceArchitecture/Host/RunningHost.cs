namespace IoT.Reference.Host;

/// <summary>The installation with its line of progress.</summary>
internal sealed class RunningHost : IAsyncDisposable
{
    private readonly Installation _installation;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _showing;

    public RunningHost(Installation installation)
    {
        _installation = installation;
        _showing = Progress.ShowAsync(installation, Console.Out, !Console.IsOutputRedirected, _stop.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _showing;
        await _installation.DisposeAsync();
        _stop.Dispose();
    }
}
