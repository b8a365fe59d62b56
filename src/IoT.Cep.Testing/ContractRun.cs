using System.Globalization;
using IoT.Cep.Extensibility;
using Microsoft.Extensions.Logging;

namespace IoT.Cep.Testing;

/// <summary>A transport that runs for one rule, with what the rule looks at.</summary>
internal sealed class ContractRun : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly string _rule;
    private Task _run = Task.CompletedTask;

    private ContractRun(TransportFixture fixture, string rule) => (Fixture, _rule) = (fixture, rule);

    internal TransportFixture Fixture { get; }

    internal ContractReceiver Receiver { get; } = new();

    internal LinesLogger Log { get; } = new();

    internal ITransport Transport { get; private set; } = null!;

    internal Task Completion => _run;

    internal CancellationToken Stopping => _stop.Token;

    /// <summary>Runs a transport until it says that it is connected.</summary>
    internal static async Task<ContractRun> StartAsync(
        TransportFixture fixture, string rule, Action<ContractReceiver>? configure = null, TimeProvider? clock = null)
    {
        var run = new ContractRun(fixture, rule);
        configure?.Invoke(run.Receiver);
        using var patience = new CancellationTokenSource(fixture.Patience);
        run.Transport = await fixture.StartAsync(patience.Token).ConfigureAwait(false);
        var context = new ConnectionContext(clock ?? TimeProvider.System, fixture.Connections, run.Log);
        run._run = Task.Run(() => run.Transport.RunAsync(run.Receiver, context, run._stop.Token), CancellationToken.None);
        var connected = run.Receiver.UntilAsync(connected: true, fixture.Patience, rule);
        if (await Task.WhenAny(connected, run._run).ConfigureAwait(false) == run._run)
        {
            await run._run.ConfigureAwait(false);
        }

        await connected.ConfigureAwait(false);
        return run;
    }

    /// <summary>The topic and body of message number i: both are told from every other's.</summary>
    internal (string Topic, byte[] Body) Message(int i, int length = 24)
    {
        string topic = string.Create(CultureInfo.InvariantCulture, $"contract/{i % 7}");
        byte[] body = new byte[Math.Clamp(length, 12, Math.Max(12, Fixture.MaxPayloadBytes))];
        for (int k = 0; k < body.Length; k++)
        {
            body[k] = Fixture.CarriesAnyBytes ? (byte)((k * 31) + i) : (byte)(' ' + 1 + (((k * 31) + i) % 94));
        }

        System.Text.Encoding.ASCII.GetBytes(i.ToString("D12", CultureInfo.InvariantCulture), body);
        return (topic, body);
    }

    internal async Task SendAsync(int i, int length = 24)
    {
        var (topic, body) = Message(i, length);
        using var patience = new CancellationTokenSource(Fixture.Patience);
        await Fixture.SendAsync(topic, body, patience.Token).ConfigureAwait(false);
    }

    /// <summary>Takes the next message and sees that it is number i.</summary>
    internal async Task<Arrived> ExpectAsync(int i, int length = 24)
    {
        var (topic, body) = Message(i, length);
        var arrived = await Receiver.NextAsync(Fixture.Patience, _rule, $"Message {i} ({body.Length} bytes)").ConfigureAwait(false);
        if (Fixture.KeepsOrder && !arrived.Body.AsSpan().SequenceEqual(body))
        {
            throw new ContractException(_rule, $"message {i} ({body.Length} bytes) was expected, and {Show(arrived)} arrived.");
        }

        if (Fixture.KeepsOrder && Fixture.CarriesTopics && arrived.Topic != topic)
        {
            throw new ContractException(_rule, $"message {i} was sent to '{topic}' and arrived as '{SafeText.Escape(arrived.Topic)}'.");
        }

        return arrived;
    }

    /// <summary>Takes messages up to number i; before it only such may come as were sent before a connection was lost, and might not have been acknowledged.</summary>
    internal async Task ExpectAgainAsync(int i)
    {
        while (true)
        {
            var arrived = await Receiver.NextAsync(Fixture.Patience, _rule, $"Message {i}").ConfigureAwait(false);
            int number = Enumerable.Range(0, i + 1).FirstOrDefault(k => arrived.Body.AsSpan().SequenceEqual(Message(k).Body), -1);
            if (number == i)
            {
                return;
            }

            if (number < 0 || !Fixture.Redelivers)
            {
                throw new ContractException(_rule, $"message {i} was expected, and {Show(arrived)} arrived.");
            }
        }
    }

    /// <summary>Stops the transport and sees that it ends in time and without an error.</summary>
    internal async Task StopAsync(string when)
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        try
        {
            await _run.WaitAsync(Fixture.Patience).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_run.IsCanceled)
        {
            // The usual end of a task that was stopped.
        }
        catch (TimeoutException late)
        {
            throw new ContractException(_rule, $"the transport was stopped {when} and still runs after {Fixture.Patience}.", late);
        }
        catch (Exception error)
        {
            throw new ContractException(_rule, $"the transport was stopped {when} and ended with {error.GetType().Name}: {error.Message}", error);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _run.WaitAsync(Fixture.Patience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    internal static string Show(Arrived arrived) =>
        string.Create(CultureInfo.InvariantCulture, $"'{SafeText.Escape(arrived.Topic, 64)}' with {arrived.Body.Length} bytes, '{SafeText.Escape(arrived.Body.AsSpan(0, Math.Min(24, arrived.Body.Length)))}'");

    /// <summary>Keeps what a transport logs.</summary>
    internal sealed class LinesLogger : ILogger
    {
        private readonly Lock _gate = new();
        private readonly List<string> _lines = [];

        internal string[] Lines
        {
            get
            {
                lock (_gate)
                {
                    return [.. _lines];
                }
            }
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (_gate)
            {
                _lines.Add(formatter(state, exception));
            }
        }
    }
}
