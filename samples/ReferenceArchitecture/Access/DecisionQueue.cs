using System.Threading.Channels;
using IoT.Reference.Contracts;

namespace IoT.Reference.Access;

/// <summary>Asks the decision point in batches: what comes while an answer is awaited goes into the next question, so that ten thousand devices that connect at once cost some dozens of requests.</summary>
internal sealed class DecisionQueue : IAsyncDisposable
{
    private const int MaxBatch = 500;

    /// <summary>Two: one question is on its way while the next is gathered.</summary>
    private const int Workers = 2;

    private readonly Channel<Question> _questions;
    private readonly Func<DecisionRequest[], CancellationToken, Task<Decision[]?>> _ask;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task[] _workers;

    internal DecisionQueue(int capacity, Func<DecisionRequest[], CancellationToken, Task<Decision[]?>> ask)
    {
        _ask = ask;
        _questions = Channel.CreateBounded<Question>(new BoundedChannelOptions(Math.Max(1, capacity)) { SingleReader = false });
        _workers = [.. Enumerable.Range(0, Workers).Select(_ => Task.Run(WorkAsync))];
    }

    /// <summary>The answer; null where the decision point does not give one or too many wait.</summary>
    internal Task<Decision?> AskAsync(DecisionRequest request)
    {
        var question = new Question(request, new TaskCompletionSource<Decision?>(TaskCreationOptions.RunContinuationsAsynchronously));
        return _questions.Writer.TryWrite(question) ? question.Answer.Task : Task.FromResult<Decision?>(null);
    }

    public async ValueTask DisposeAsync()
    {
        _questions.Writer.TryComplete();
        await _stop.CancelAsync();
        await Task.WhenAll(_workers);
        while (_questions.Reader.TryRead(out var question))
        {
            question.Answer.TrySetResult(null);
        }

        _stop.Dispose();
    }

    private async Task WorkAsync()
    {
        var batch = new List<Question>(MaxBatch);
        try
        {
            while (await _questions.Reader.WaitToReadAsync(_stop.Token))
            {
                while (batch.Count < MaxBatch && _questions.Reader.TryRead(out var question))
                {
                    batch.Add(question);
                }

                await AnswerAsync(batch);
                batch.Clear();
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped; DisposeAsync answers what is left.
        }
    }

    private async Task AnswerAsync(List<Question> batch)
    {
        Decision[]? answers = null;
        try
        {
            if (batch.Count > 0)
            {
                answers = await _ask([.. batch.Select(static q => q.Request)], _stop.Token);
            }
        }
        finally
        {
            for (int i = 0; i < batch.Count; i++)
            {
                batch[i].Answer.TrySetResult(answers?.Length == batch.Count ? answers[i] : null);
            }
        }
    }

    private sealed record Question(DecisionRequest Request, TaskCompletionSource<Decision?> Answer);
}
