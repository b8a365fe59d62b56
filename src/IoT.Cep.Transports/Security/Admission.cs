namespace IoT.Cep;

/// <summary>Why a client was not let in.</summary>
public enum AdmissionRefusal
{
    /// <summary>It was let in.</summary>
    None,

    /// <summary>It did not prove who it is.</summary>
    NotAuthenticated,

    /// <summary>It may not connect.</summary>
    NotAuthorized,

    /// <summary>It, or the whole of all clients, has too many connections.</summary>
    TooManyConnections,
}

/// <summary>
/// A client's stay at a listener: who it is, what it may use, and when it has to go. Made by <see cref="ListenerSecurity.AdmitAsync(ClientCredentials, string)"/>; disposing it tells that the
/// connection is closed.
/// </summary>
/// <remarks>Thread-safe.</remarks>
public sealed class Admission : IDisposable
{
    /// <summary>Timers take no longer times; a proof that ends later is looked at again.</summary>
    private static readonly TimeSpan _longest = TimeSpan.FromDays(30);

    private readonly ListenerSecurity? _security;
    private readonly CancellationTokenSource _ended = new();
    private ITimer? _timer;
    private int _isClosed;

    internal Admission(AdmissionRefusal refusal)
    {
        Refusal = refusal;
        Identity = Identity.Anonymous;
        Ended = _ended.Token;
    }

    internal Admission(ListenerSecurity security, Identity identity, PrincipalBudget budget)
    {
        (_security, Identity, Budget) = (security, identity, budget);
        Ended = _ended.Token;
    }

    /// <summary>Whether the client was let in.</summary>
    public bool IsAdmitted => Refusal == AdmissionRefusal.None;

    /// <summary>Why it was not let in.</summary>
    public AdmissionRefusal Refusal { get; }

    /// <summary>Who it is. Of no meaning where it was not let in.</summary>
    public Identity Identity { get; }

    /// <summary>What it may use; null where it was not let in.</summary>
    public PrincipalBudget? Budget { get; }

    /// <summary>Cancelled when the connection has to be closed: the identity was revoked, or its proof ended. A listener closes it within a second.</summary>
    public CancellationToken Ended { get; }

    /// <summary>Whether the connection has to be closed.</summary>
    public bool HasEnded => _ended.IsCancellationRequested;

    /// <summary>The connection is closed.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isClosed, 1) == 0)
        {
            _timer?.Dispose();
            _security?.Closed(this);
            _ended.Dispose();
        }
    }

    internal void WatchExpiry(TimeProvider time)
    {
        if (Identity.Expires is null)
        {
            return;
        }

        _timer = time.CreateTimer(_ => Look(time), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Look(time);
    }

    internal void End()
    {
        try
        {
            // On another thread: what listeners do at it must not hold up who revokes, nor the timers.
            _ = _ended.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // Closed just now.
        }
    }

    private void Look(TimeProvider time)
    {
        var rest = Identity.Expires!.Value - time.GetUtcNow();
        if (rest <= TimeSpan.Zero)
        {
            End();
            return;
        }

        // Up to the next whole millisecond, below which timers do not see.
        _timer?.Change(TimeSpan.FromMilliseconds(Math.Ceiling(Math.Min(rest.TotalMilliseconds, _longest.TotalMilliseconds))), Timeout.InfiniteTimeSpan);
    }
}
