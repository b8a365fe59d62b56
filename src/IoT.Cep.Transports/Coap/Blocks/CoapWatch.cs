using System.Threading.Channels;

namespace IoT.Cep;

/// <summary>
/// Observes a resource (RFC 7641, 3): registers, keeps only what is newer than what it has, registers again when the state is no longer fresh, reads the rest of
/// long notifications, and reads in turn what cannot be observed.
/// </summary>
/// <param name="client">The server.</param>
/// <param name="request">A GET of the resource.</param>
/// <param name="time">The clock.</param>
/// <param name="random">Spreads the registrations of many clients.</param>
internal sealed class CoapWatch(CoapClient client, CoapMessage request, TimeProvider time, CoapRandom random)
{
    /// <summary>Notifications that may wait to be taken; further ones push out the oldest, which the protocol allows: only the latest state counts.</summary>
    private const int MaxWaiting = 16;

    /// <summary>RFC 7252, 5.10.5.</summary>
    private const uint DefaultMaxAge = 60;

    /// <summary>A resource whose state is never fresh is not read more often than this.</summary>
    private static readonly TimeSpan _leastPause = TimeSpan.FromSeconds(1);

    // Continued on the receiving thread, as requests are: a state costs no change of threads, and a test runs in one order.
    private readonly Channel<(CoapMessage Response, long At)> _arrived = Channel.CreateBounded<(CoapMessage, long)>(
        new BoundedChannelOptions(MaxWaiting) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true, AllowSynchronousContinuations = true });

    private (uint Sequence, long At)? _latest;

    /// <summary>How many notifications came too late to count.</summary>
    internal long Outdated { get; private set; }

    /// <summary>Gives the states as they come, until it is stopped or fails; tell the server afterwards by <see cref="EndAsync"/>.</summary>
    /// <param name="take">Takes a state; the next comes when it is done.</param>
    /// <param name="stop">Stops it.</param>
    /// <exception cref="CoapException">The server does not answer, or does not have the resource.</exception>
    internal async Task RunAsync(Func<CoapMessage, ValueTask> take, CancellationToken stop)
    {
        var registration = request.With(CoapOptionNumber.Observe, 0);
        while (true)
        {
            // The token stays, so that a server that still knows the registration renews it (3.3.1).
            _latest = null;
            var first = await client.SendAsync(registration, stop, Observation).ConfigureAwait(false);
            ThrowIfError(first);
            _latest = first.Observe is { } sequence ? (sequence, time.GetTimestamp()) : null;
            await take(first).ConfigureAwait(false);
            var fresh = Freshness(first);
            if (first.Observe is null)
            {
                await Task.Delay(fresh, time, stop).ConfigureAwait(false);
                continue;
            }

            while (await NextAsync(fresh, stop).ConfigureAwait(false) is { } arrived)
            {
                ThrowIfError(arrived);
                fresh = Freshness(arrived);
                if (arrived.Code != CoapCode.Valid)
                {
                    await take(await WholeAsync(arrived, stop).ConfigureAwait(false)).ConfigureAwait(false);
                }
            }
        }
    }

    /// <summary>The observation, with the token that all registrations have.</summary>
    internal CoapObservation Observation => field ??= new CoapObservation(
        response => _arrived.Writer.TryWrite((response, time.GetTimestamp())), why => _arrived.Writer.TryComplete(why));

    /// <summary>Takes no more, and says so.</summary>
    /// <param name="stop">Gives up.</param>
    internal async Task EndAsync(CancellationToken stop)
    {
        client.Link.Forget(client.Remote, Observation);
        if (Observation.Token is not null)
        {
            var last = new CoapObservation(static _ => { }) { Token = Observation.Token };
            await client.SendAsync(request.With(CoapOptionNumber.Observe, 1), stop, last).ConfigureAwait(false);
        }
    }

    private static void ThrowIfError(CoapMessage response)
    {
        if (!response.Code.IsSuccess())
        {
            throw new CoapException($"The server answered {response.Code.Text()} {Extensibility.SafeText.Escape(response.Payload.Span)}".TrimEnd() + ".");
        }
    }

    /// <summary>The next state that is newer than the latest; null: the latest is no longer fresh.</summary>
    private async Task<CoapMessage?> NextAsync(TimeSpan fresh, CancellationToken stop)
    {
        using var limit = new CancellationTokenSource(fresh, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop);
        try
        {
            while (true)
            {
                var (response, at) = await _arrived.Reader.ReadAsync(either.Token).ConfigureAwait(false);
                if (response.Observe is not { } sequence || IsNewer(sequence, at))
                {
                    _latest = response.Observe is { } s ? (s, at) : _latest;
                    return response;
                }

                Outdated++;
            }
        }
        catch (ChannelClosedException closed) when (closed.InnerException is CoapException lost)
        {
            throw new CoapException(lost.Message);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>RFC 7641, 3.4: numbers of 24 bits that begin again, and none that is older than 128 s counts.</summary>
    private bool IsNewer(uint sequence, long at) => client.Link.IsReliable || IsNewer(_latest, sequence, at, time);

    internal static bool IsNewer((uint Sequence, long At)? latest, uint sequence, long at, TimeProvider time)
    {
        const uint Half = 1 << 23;
        if (latest is not { } known)
        {
            return true;
        }

        return (known.Sequence < sequence && sequence - known.Sequence < Half)
            || (known.Sequence > sequence && known.Sequence - sequence > Half)
            || time.GetElapsedTime(known.At, at) > TimeSpan.FromSeconds(128);
    }

    /// <summary>How long a state counts, and 5 to 15 s on top so that not all clients ask at once (3.3.1).</summary>
    private TimeSpan Freshness(CoapMessage response)
    {
        uint maxAge = response.UInt(CoapOptionNumber.MaxAge) ?? DefaultMaxAge;
        var longest = TimeSpan.FromDays(30);
        var pause = TimeSpan.FromSeconds(maxAge);
        pause = response.Observe is null ? pause : pause + TimeSpan.FromSeconds(5 + (10 * random.Fraction()));
        return pause < _leastPause ? _leastPause : pause > longest ? longest : pause;
    }

    private async Task<CoapMessage> WholeAsync(CoapMessage arrived, CancellationToken stop) =>
        arrived.Block2 is { HasMore: true } ? await client.FetchRestAsync(request, arrived, stop).ConfigureAwait(false) : arrived;
}
