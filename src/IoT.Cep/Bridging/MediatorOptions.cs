namespace IoT.Cep;

/// <summary>What a mediator passes, how it changes it, and how much of it.</summary>
public sealed class MediatorOptions
{
    /// <summary>How long an answer may take. Default: 10 s. A caller may ask for less.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How many requests may wait for their answers. Default: 1,000. One more is refused (503): it would wait behind what is stuck already.</summary>
    public int MaxPending { get; set; } = 1_000;

    /// <summary>How many of them may wait for one target. Default: 16. One more is refused (429), so that one device that is silent does not take the place of all others.</summary>
    public int MaxPendingPerTarget { get; set; } = 16;

    /// <summary>The longest body of a request. Default: 1 MiB. A longer one is refused (413).</summary>
    public int MaxBytes { get; set; } = 1 << 20;

    /// <summary>After how long a request that was refused for want of room may come again. Default: 1 s.</summary>
    public TimeSpan RetryAfter { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>What passes; null, the default: everything. Asked with the request as it came. What does not pass is refused (400).</summary>
    public Func<Message, bool>? Where { get; set; }

    /// <summary>Changes a request, behind the routing; null from it, or an exception, refuses it (400). Null, the default: nothing is changed.</summary>
    public Func<Message, Message?>? Transform { get; set; }

    /// <summary>Changes an answer; an exception makes it 502. Null, the default: nothing is changed.</summary>
    public Func<Message, Message>? TransformAnswer { get; set; }

    /// <summary>Which of a request's headers reach the other side. Default: none; what <see cref="Transform"/> adds does.</summary>
    public IList<string> Headers { get; } = [];

    /// <summary>Which of an answer's headers reach the caller. Default: none; what <see cref="TransformAnswer"/> adds does.</summary>
    public IList<string> AnswerHeaders { get; } = [];

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(Timeout, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxPending, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxPendingPerTarget, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxBytes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(RetryAfter, TimeSpan.Zero);
    }
}
