namespace IoT.Cep;

/// <summary>The answer to a request that named an idempotency key: comes when its messages are acknowledged, also where the request itself was given up before.</summary>
internal sealed class IdempotentAnswer
{
    private readonly TaskCompletionSource<Outcome?> _outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Null: the request ended before its messages were all taken, and the key is free again.</summary>
    internal Task<Outcome?> Outcome => _outcome.Task;

    internal long Until { get; set; }

    /// <summary>What had been taken of lines when their request ended before its body did, those of <see cref="Before"/> included. Null: it did not end so.</summary>
    internal Outcome? BrokenOff { get; set; }

    /// <summary>The request of the same key that broke off before this one.</summary>
    internal IdempotentAnswer? Before { get; set; }

    private bool IsDone => Outcome.IsCompleted && (Before is null or { IsDone: true });

    /// <summary>A sender that breaks off again and again must not make a chain without end.</summary>
    internal void ForgetWhatIsDone() => Before = Before is { IsDone: true } ? null : Before;

    internal void Complete(Outcome? outcome) => _outcome.TrySetResult(outcome);
}

/// <summary>Remembers idempotency keys for a time, and never more than so many.</summary>
/// <param name="most">How many.</param>
/// <param name="period">How long.</param>
/// <param name="clock">The clock.</param>
internal sealed class IdempotencyTable(int most, TimeSpan period, TimeProvider clock)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<(string Principal, string Topic, string Key), IdempotentAnswer> _answers = [];

    // In the order in which they came, which is that in which they end; a key that was freed stands here until its time.
    private readonly Queue<((string Principal, string Topic, string Key) Key, IdempotentAnswer Answer)> _order = new();

    /// <summary>The answer to a key.</summary>
    /// <param name="key">Whose key, for what.</param>
    /// <param name="isNew">Whether nobody asked before: the caller is the one who does it.</param>
    /// <returns>Null where there is no room.</returns>
    internal IdempotentAnswer? Find((string Principal, string Topic, string Key) key, out bool isNew)
    {
        lock (_gate)
        {
            long now = clock.GetTimestamp();
            Forget(now, most);
            isNew = !_answers.TryGetValue(key, out var answer) || answer.BrokenOff is not null;
            if (!isNew)
            {
                return answer;
            }

            var before = answer;
            Forget(now, most - 1);
            if (_order.Count >= most)
            {
                return null;
            }

            before?.ForgetWhatIsDone();
            answer = new IdempotentAnswer { Before = before, Until = now + (long)(period.TotalSeconds * clock.TimestampFrequency) };
            _answers[key] = answer;
            _order.Enqueue((key, answer));
            return answer;
        }
    }

    /// <summary>The request was not taken whole: whoever asks again does it anew, or goes on behind the lines that were taken.</summary>
    internal void Free((string Principal, string Topic, string Key) key, IdempotentAnswer answer)
    {
        lock (_gate)
        {
            if (answer.BrokenOff is { Received: > 0 })
            {
                // What it had taken is still to be acknowledged, which completes it.
                return;
            }

            if (_answers.GetValueOrDefault(key) == answer)
            {
                _answers.Remove(key);
                if (answer.Before is { } before)
                {
                    _answers[key] = before;
                    _order.Enqueue((key, before));
                }
            }
        }

        answer.Complete(null);
    }

    /// <summary>Forgets those whose time is over, and, down to a number, the oldest that have their answers.</summary>
    private void Forget(long now, int left)
    {
        while (_order.TryPeek(out var oldest) && (oldest.Answer.Until <= now || (_order.Count > left && oldest.Answer.Outcome.IsCompleted)))
        {
            _order.Dequeue();
            if (_answers.GetValueOrDefault(oldest.Key) == oldest.Answer)
            {
                _answers.Remove(oldest.Key);
            }
        }
    }
}
