using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Testing;

/// <summary>Rules about connecting, stopping and failing.</summary>
public static partial class TransportContract
{
    // Enough that a pause that doubles from half a second has reached half a minute, and three more to compare.
    private const int Attempts = 10;

    // The one under way when the cable is cut, and one that begins at once.
    private const int MostWithoutPause = 2;

    private static async Task TellConnectionAsync(TransportFixture fixture, string rule)
    {
        await using var run = await ContractRun.StartAsync(fixture, rule).ConfigureAwait(false);
        if (fixture.Proxy is { } proxy)
        {
            proxy.Cut();
            await run.Receiver.UntilAsync(connected: false, fixture.Patience, rule).ConfigureAwait(false);
            proxy.Restore();
            await run.Receiver.UntilAsync(connected: true, fixture.Patience, rule).ConfigureAwait(false);
        }

        await run.StopAsync("while it was connected").ConfigureAwait(false);
        if (run.Receiver.IsConnected != false)
        {
            throw new ContractException(rule, "the run has ended, and ConnectionChanged(false) was not the last that was told.");
        }
    }

    private static async Task ConnectAgainAsync(TransportFixture fixture, string rule)
    {
        await using var run = await ContractRun.StartAsync(fixture, rule).ConfigureAwait(false);
        if (fixture.Proxy is not { } proxy)
        {
            return;
        }

        for (int i = 0; i < 3; i++)
        {
            await run.SendAsync(i).ConfigureAwait(false);
            await run.ExpectAgainAsync(i).ConfigureAwait(false);
            proxy.Cut();
            await run.Receiver.UntilAsync(connected: false, fixture.Patience, rule).ConfigureAwait(false);
            proxy.Restore();
            await run.Receiver.UntilAsync(connected: true, fixture.Patience, rule).ConfigureAwait(false);
        }

        await run.SendAsync(3).ConfigureAwait(false);
        await run.ExpectAgainAsync(3).ConfigureAwait(false);
    }

    private static async Task SpaceAttemptsAsync(TransportFixture fixture, string rule)
    {
        var clock = new SteppedTime();
        await using var run = await ContractRun.StartAsync(fixture, rule, clock: clock).ConfigureAwait(false);
        if (fixture.Proxy is not { } proxy)
        {
            return;
        }

        proxy.Cut();
        await run.Receiver.UntilAsync(connected: false, fixture.Patience, rule).ConfigureAwait(false);
        long before = proxy.Attempts;
        await StandStillAsync(() => proxy.Attempts + clock.Changes, MoreThanAsync(proxy, before + MostWithoutPause)).ConfigureAwait(false);
        if (proxy.Attempts - before > MostWithoutPause)
        {
            throw new ContractException(rule, $"it tried {proxy.Attempts - before} times while the clock of its context stood still: Task.Delay(pause, context.TimeProvider, stop).");
        }

        var pauses = new List<TimeSpan>();
        long last = clock.GetTimestamp();
        while (pauses.Count < Attempts)
        {
            if (clock.NextDue is not { } due)
            {
                throw new ContractException(
                    rule, $"it has lost its connection, and waits for no timer of the context's TimeProvider (after {proxy.Attempts - before} attempts while the clock stood still): Task.Delay(pause, context.TimeProvider, stop).");
            }

            long attempts = proxy.Attempts;
            clock.Advance(due);
            await StandStillAsync(() => proxy.Attempts + clock.Changes).ConfigureAwait(false);
            long made = proxy.Attempts - attempts;
            if (made > 1)
            {
                throw new ContractException(rule, $"it tried {made} times without a pause.");
            }

            var pause = clock.GetElapsedTime(last);
            if (made == 1)
            {
                pauses.Add(pause);
                last = clock.GetTimestamp();
            }
            else if (pause > fixture.LongestPause * 2)
            {
                throw new ContractException(rule, $"it did not try to connect for {pause}; the longest pause is to be {fixture.LongestPause}.");
            }
        }

        if (pauses.Find(p => p > fixture.LongestPause) is { Ticks: > 0 } longest)
        {
            throw new ContractException(rule, $"it paused for {longest}; the longest pause is to be {fixture.LongestPause}.");
        }

        if (pauses.TakeLast(4).Distinct().Count() == 1)
        {
            throw new ContractException(rule, $"it pauses for exactly {pauses[^1]} each time: a share of it must be random, or all clients of a server that returns come at once.");
        }
    }

    private static async Task MoreThanAsync(LoopbackProxy proxy, long attempts)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        for (int i = 0; i < 1000 && proxy.Attempts <= attempts; i++)
        {
            await timer.WaitForNextTickAsync().ConfigureAwait(false);
        }
    }

    private static async Task StopAsync(TransportFixture fixture, string rule)
    {
        var blocked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var run = await ContractRun.StartAsync(fixture, rule, r => r.Gate = _ => new ValueTask(blocked.Task)).ConfigureAwait(false);

        // An engine that stops ends the waiting of its receivers so.
        await using var ended = run.Stopping.Register(() => blocked.TrySetCanceled(run.Stopping)).ConfigureAwait(false);
        var (topic, body) = run.Message(0);
        var sending = fixture.SendAsync(topic, body, run.Stopping).AsTask();
        await run.ExpectAsync(0).ConfigureAwait(false);
        if (fixture.Proxy is { } proxy)
        {
            proxy.Cut();
        }

        await run.StopAsync("while its receiver waited" + (fixture.Proxy is null ? "" : " and the connection was lost")).ConfigureAwait(false);
        await sending.WaitAsync(fixture.Patience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static async Task LetOutAsync(TransportFixture fixture, string rule)
    {
        var mine = new InvalidDataException("the receiver's own");
        await using var run = await ContractRun.StartAsync(fixture, rule, r => r.Gate = async _ =>
        {
            await Task.Yield();
            throw mine;
        }).ConfigureAwait(false);
        var (topic, body) = run.Message(0);
        var sending = fixture.SendAsync(topic, body, run.Stopping).AsTask();
        try
        {
            await run.Completion.WaitAsync(fixture.Patience).ConfigureAwait(false);
            throw new ContractException(rule, "the run ended as if nothing had happened.");
        }
        catch (TimeoutException late)
        {
            throw new ContractException(rule, $"the receiver threw, and the run goes on after {fixture.Patience}: such an exception is not the connection's, and must not be tried again.", late);
        }
        catch (Exception error) when (error is not ContractException && error != mine)
        {
            throw new ContractException(rule, $"the receiver threw {mine.GetType().Name}, and the run ended with {error.GetType().Name}: {error.Message}", error);
        }
        catch (InvalidDataException error) when (error == mine)
        {
            // As it should be.
        }

        await sending.WaitAsync(fixture.Patience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static async Task WithstandAsync(TransportFixture fixture, string rule)
    {
        await using var run = await ContractRun.StartAsync(fixture, rule).ConfigureAwait(false);
        string[] topics = ["contract/../../etc/passwd", "contract//x", "contract/\u001b[2J", "contract/\u202etxt", "contract/%00%2e", "contract/" + new string('x', 2000), "contract/ü/温度", "contract/a b?c=d&e#f"];
        byte[][] bodies = [[], [0], [0xFF, 0xFE, 0x00, 0x0A, 0x0D], Encoding.UTF8.GetBytes("\u001b]0;x\u0007\r\nX: y\r\n\r\n"), [.. Enumerable.Range(0, 256).Select(i => (byte)i)]];
        foreach (var (topic, body) in topics.Select(t => (t, bodies[1])).Concat(bodies.Select(b => ("contract/x", b))))
        {
            try
            {
                using var patience = new CancellationTokenSource(fixture.Patience);
                await fixture.SendAsync(topic, body, patience.Token).ConfigureAwait(false);
            }
            catch (Exception refused) when (refused is not ContractException)
            {
                // The protocol knows better; what matters is that it goes on.
            }
        }

        byte[] last = run.Message(1).Body;
        bool isThere = false;
        while (!isThere)
        {
            // Again where it fails: a peer may have ended the connection by which the bytes came.
            var sending = run.SendAsync(1);
            await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            isThere = sending.IsCompletedSuccessfully && await ArrivesAsync(run, last, rule).ConfigureAwait(false);
        }

        string? unsafeText = run.Log.Lines.Concat(run.Receiver.Told).FirstOrDefault(line => line.Replace("\n", "", StringComparison.Ordinal).Any(char.IsControl));
        if (unsafeText is not null)
        {
            throw new ContractException(rule, $"text from outside is shown as it came: '{SafeText.Escape(unsafeText)}'. Send it through SafeText.Escape.");
        }
    }

    private static async Task<bool> ArrivesAsync(ContractRun run, byte[] body, string rule)
    {
        while (true)
        {
            var arrived = await run.Receiver.NextAsync(run.Fixture.Patience, rule, "A message behind hostile ones").ConfigureAwait(false);
            if (arrived.Body.AsSpan().SequenceEqual(body))
            {
                return true;
            }
        }
    }
}
