using IoT.Cep.Extensibility;

namespace IoT.Cep.Testing;

/// <summary>Rules about single messages.</summary>
public static partial class TransportContract
{
    // Past every window of sixteen or so messages that a protocol has.
    private const int Messages = 100;

    // A megabyte at a time fills the system's sockets soon, in messages of a usual size.
    private const int OfferedBytes = 16 << 20, OfferedMessageBytes = 8 * 1024;

    private static async Task NameIsStableAsync(TransportFixture fixture, string rule)
    {
        await using var run = await ContractRun.StartAsync(fixture, rule).ConfigureAwait(false);
        string name = run.Transport.Name;
        if (string.IsNullOrEmpty(name) || SafeText.Escape(name, int.MaxValue) != name)
        {
            throw new ContractException(rule, $"the name '{SafeText.Escape(name)}' is empty, or has characters that can't be shown.");
        }

        await run.SendAsync(0).ConfigureAwait(false);
        await run.ExpectAsync(0).ConfigureAwait(false);
        await run.StopAsync("after a message").ConfigureAwait(false);
        if (run.Transport.Name != name)
        {
            throw new ContractException(rule, $"it was '{name}' and became '{SafeText.Escape(run.Transport.Name)}'; metrics and saved state go by it.");
        }
    }

    private static async Task ArriveInOrderAsync(TransportFixture fixture, string rule)
    {
        await using var run = await ContractRun.StartAsync(fixture, rule).ConfigureAwait(false);
        var seen = new HashSet<string>();
        for (int i = 0; i < Messages; i++)
        {
            await run.SendAsync(i).ConfigureAwait(false);
        }

        for (int i = 0; i < Messages; i++)
        {
            var arrived = await run.ExpectAsync(i).ConfigureAwait(false);
            if (!seen.Add(Convert.ToHexString(arrived.Body)))
            {
                throw new ContractException(rule, $"{ContractRun.Show(arrived)} arrived twice.");
            }
        }
    }

    private static async Task ArriveInEveryLengthAsync(TransportFixture fixture, string rule)
    {
        await using var run = await ContractRun.StartAsync(fixture, rule).ConfigureAwait(false);

        // Around powers of two: where buffers end and length fields get longer.
        int[] lengths = [.. new[] { 12, 126, 127, 128, 255, 256, 4095, 4096, 16_383, 16_384, 16_385, 65_535, 65_536, fixture.MaxPayloadBytes }
            .Where(length => length <= fixture.MaxPayloadBytes)];
        for (int i = 0; i < lengths.Length; i++)
        {
            await run.SendAsync(i, lengths[i]).ConfigureAwait(false);
            await run.ExpectAsync(i, lengths[i]).ConfigureAwait(false);
        }
    }

    private static async Task OneAtATimeAsync(TransportFixture fixture, string rule)
    {
        await using var run = await ContractRun.StartAsync(fixture, rule, r => r.Gate = async _ =>
        {
            for (int i = 0; i < 10; i++)
            {
                await Task.Yield();
            }
        }).ConfigureAwait(false);
        var sending = Task.Run(async () =>
        {
            for (int i = 0; i < Messages; i++)
            {
                await run.SendAsync(i).ConfigureAwait(false);
            }
        });
        for (int i = 0; i < Messages; i++)
        {
            await run.ExpectAsync(i).ConfigureAwait(false);
        }

        await sending.ConfigureAwait(false);
    }

    private static async Task AcknowledgeLateAsync(TransportFixture fixture, string rule)
    {
        await using var run = await ContractRun.StartAsync(fixture, rule, r => r.AcknowledgesAtOnce = false).ConfigureAwait(false);
        if (!fixture.Acknowledges)
        {
            return;
        }

        for (int i = 0; i < Messages; i++)
        {
            // Some protocols answer with the acknowledgement, and their senders wait for it.
            var sending = run.SendAsync(i);
            var arrived = await run.ExpectAsync(i).ConfigureAwait(false);
            if (arrived.Acknowledger is null)
            {
                throw new ContractException(rule, "the fixture says that messages are acknowledged, and one came without an acknowledger.");
            }

            var thread = new Thread(arrived.Acknowledge);
            thread.Start();
            if (!thread.Join(fixture.Patience))
            {
                throw new ContractException(rule, "Acknowledge blocks.");
            }

            await sending.ConfigureAwait(false);
        }

        await run.StopAsync("after all was acknowledged").ConfigureAwait(false);
    }

    private static async Task RedeliverAsync(TransportFixture fixture, string rule)
    {
        await using var run = await ContractRun.StartAsync(fixture, rule, r => r.AcknowledgesAtOnce = false).ConfigureAwait(false);
        if (!fixture.Redelivers || fixture.Proxy is null)
        {
            return;
        }

        for (int i = 0; i < 3; i++)
        {
            await run.SendAsync(i).ConfigureAwait(false);
        }

        var first = await run.ExpectAsync(0).ConfigureAwait(false);
        var second = await run.ExpectAsync(1).ConfigureAwait(false);
        var third = await run.ExpectAsync(2).ConfigureAwait(false);
        fixture.Proxy.Cut();
        await run.Receiver.UntilAsync(connected: false, fixture.Patience, rule).ConfigureAwait(false);
        first.Acknowledge();
        fixture.Proxy.Restore();
        await run.Receiver.UntilAsync(connected: true, fixture.Patience, rule).ConfigureAwait(false);

        // Told apart by what comes next: a redelivery that was not counted stands before the new message.
        second.Acknowledge();
        third.Acknowledge();
        await run.SendAsync(3).ConfigureAwait(false);
        var seen = new List<string>();
        byte[] expected = run.Message(3).Body;
        while (true)
        {
            var next = await run.Receiver.NextAsync(fixture.Patience, rule, "A message behind the redelivered ones").ConfigureAwait(false);
            next.Acknowledge();
            if (next.Body.AsSpan().SequenceEqual(expected))
            {
                break;
            }

            seen.Add(Convert.ToHexString(next.Body));
        }

        if (seen.Count + run.Receiver.Duplicates == 0)
        {
            throw new ContractException(rule, "what was not acknowledged before the connection was lost did not come again and was not counted as a duplicate.");
        }

        if (seen.Distinct().Count() != seen.Count)
        {
            throw new ContractException(rule, "a message came again more than once for one lost connection.");
        }
    }

    private static async Task RejectAsync(TransportFixture fixture, string rule)
    {
        await using var run = await ContractRun.StartAsync(fixture, rule, r => (r.AcknowledgesAtOnce, r.Gate) = (false, message =>
        {
            message.Acknowledger?.Rejected(message.Delivery!, DeadLetterReason.Malformed, "field\u001b[2J: it is \"wrong\".\r\nX: y");
            message.Acknowledge();
            return ValueTask.CompletedTask;
        }
        )).ConfigureAwait(false);
        for (int i = 0; i < 3; i++)
        {
            try
            {
                await run.SendAsync(i).ConfigureAwait(false);
            }
            catch (Exception refused) when (fixture.Acknowledges && refused is not OperationCanceledException)
            {
                // A sender that is told may say so.
            }

            await run.ExpectAsync(i).ConfigureAwait(false);
        }

        await run.StopAsync("after rejected messages").ConfigureAwait(false);
    }

    private static async Task HoldUpAsync(TransportFixture fixture, string rule)
    {
        var open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var run = await ContractRun.StartAsync(fixture, rule, r => r.Gate = _ => new ValueTask(open.Task)).ConfigureAwait(false);
        int length = Math.Min(OfferedMessageBytes, fixture.MaxPayloadBytes);
        int count = fixture.HoldsSenderUp ? OfferedBytes / length : Messages;
        int sent = 0;
        var sending = Task.Run(async () =>
        {
            for (int i = 0; i < count; i++)
            {
                var (topic, body) = run.Message(i, length);
                await fixture.SendAsync(topic, body, run.Stopping).ConfigureAwait(false);
                Interlocked.Increment(ref sent);
            }
        });
        await run.ExpectAsync(0, length).ConfigureAwait(false);
        await StandStillAsync(() => fixture.Proxy?.BytesToTransport ?? Volatile.Read(ref sent), sending).ConfigureAwait(false);
        long taken = fixture.Proxy?.BytesToTransport ?? ((long)Volatile.Read(ref sent) * length);
        bool isHeld = run.Receiver.IsEmpty;
        open.SetResult();
        if (!isHeld)
        {
            throw new ContractException(rule, "another message was handed over while the receiver waited.");
        }

        if (fixture.HoldsSenderUp && taken > fixture.MaxReadAheadBytes)
        {
            throw new ContractException(
                rule, $"{taken:N0} bytes were taken from the sender while the receiver waited; {fixture.MaxReadAheadBytes:N0} are allowed. Don't queue in front of the receiver.");
        }

        for (int i = 1; i < (fixture.KeepsOrder ? count : 2); i++)
        {
            await run.ExpectAsync(i, length).ConfigureAwait(false);
        }

        await sending.ConfigureAwait(false);
    }

    /// <summary>Waits until a number has not changed for a while, or there is nothing more to do. On a slow machine it may be taken for still too early: then less is found, never too much.</summary>
    /// <returns>False where it goes on changing.</returns>
    private static async Task<bool> StandStillAsync(Func<long> number, Task? done = null)
    {
        const int StillTicks = 15, MostTicks = 1000;
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        long last = number();
        int still = 0;
        for (int i = 0; i < MostTicks && still < StillTicks && done?.IsCompleted != true; i++, still++)
        {
            await timer.WaitForNextTickAsync().ConfigureAwait(false);
            if (number() != last)
            {
                (last, still) = (number(), -1);
            }
        }

        return still >= StillTicks || done?.IsCompleted == true;
    }
}
