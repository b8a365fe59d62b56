using System.Buffers;
using System.Globalization;
using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Tests;

/// <summary>A transport that delivers what the test says, and remembers what was acknowledged.</summary>
internal sealed class ManualTransport(bool endsQuietly = false) : ITransport, IAcknowledger
{
    private readonly TaskCompletionSource<IPayloadReceiver> _receiver = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<int> _acknowledged = [];
    private readonly List<(int Count, TaskCompletionSource Reached)> _waiting = [];
    private int _sent;

    public string Name => "manual";

    internal IReadOnlyList<int> Acknowledged
    {
        get
        {
            lock (_acknowledged)
            {
                return [.. _acknowledged];
            }
        }
    }

    public async Task RunAsync(IPayloadReceiver receiver, ConnectionContext context, CancellationToken stop)
    {
        _receiver.SetResult(receiver);
        try
        {
            await _end.Task.WaitAsync(stop);
        }
        catch (OperationCanceledException) when (endsQuietly)
        {
            // As a transport may end that has disconnected in an orderly way.
        }
    }

    public void Acknowledge(object delivery)
    {
        lock (_acknowledged)
        {
            _acknowledged.Add((int)delivery);
            _waiting.FindAll(w => w.Count <= _acknowledged.Count).ForEach(w => w.Reached.TrySetResult());
        }
    }

    internal List<(int Delivery, DeadLetterReason Reason, string Detail)> Refused { get; } = [];

    public void Rejected(object delivery, DeadLetterReason reason, string detail) => Refused.Add(((int)delivery, reason, detail));

    internal Task WaitForAcknowledgedAsync(int count)
    {
        lock (_acknowledged)
        {
            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Add((count, reached));
            if (_acknowledged.Count >= count)
            {
                reached.SetResult();
            }

            return reached.Task.WaitAsync(Limit.Time);
        }
    }

    /// <summary>Delivers a message of numbers that are separated by spaces.</summary>
    /// <returns>Complete when the transport may go on.</returns>
    internal async Task<Task> SendAsync(string text, bool acknowledge = false)
    {
        var receiver = await _receiver.Task.WaitAsync(Limit.Time);
        var payload = new Payload(new ReadOnlySequence<byte>(Encoding.ASCII.GetBytes(text)), "topic");
        try
        {
            return receiver.ReceiveAsync(in payload, acknowledge ? this : null, acknowledge ? ++_sent : null).AsTask();
        }
        catch (InvalidOperationException error)
        {
            _end.TrySetException(error);
            return Task.CompletedTask;
        }
    }

    internal async Task ConnectAsync(bool connected) => (await _receiver.Task.WaitAsync(Limit.Time)).ConnectionChanged(connected);

    internal void End() => _end.TrySetResult();

    internal ISource<double> ToSource() => Source.FromTransport(this, new Numbers());

    private sealed class Numbers : Decoder<double>
    {
        public override void Decode(in Payload payload, EventBuffer<double> output)
        {
            foreach (string word in Encoding.ASCII.GetString(payload.Bytes).Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                if (double.TryParse(word, CultureInfo.InvariantCulture, out double number))
                {
                    output.Add(number);
                }
                else
                {
                    output.Reject(DeadLetterReason.Malformed, $"'{word}' is no number.");
                    return;
                }
            }
        }
    }
}

/// <summary>How long a test waits for what must come: reached only by a test that fails.</summary>
internal static class Limit
{
    internal static readonly TimeSpan Time = TimeSpan.FromSeconds(20);
}
