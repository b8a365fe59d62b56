using IoT.Cep.Extensibility;

namespace IoT.Cep.Tests;

/// <summary>What can never work is said when the engine starts; what may pass is not.</summary>
public class SinkCheckTests
{
    [Fact]
    public async Task A_sink_that_can_not_work_fails_the_start_with_the_names_of_query_and_sink()
    {
        var store = new ManualSink<double> { CheckError = new SinkConfigurationException("The table is missing. Create it.") };
        await using var engine = new CepEngine();
        engine.From(Source.FromMemory<double>(new double[] { 1, 2 }, new long[2])).To(store, name: "sums");
        var error = await Assert.ThrowsAsync<SinkConfigurationException>(() => engine.StartAsync());
        Assert.Equal("Query 'sums' can't write to its sink 'manual'. The table is missing. Create it.", error.Message);
        Assert.Empty(store.Rows);
    }

    [Fact]
    public async Task The_start_may_be_made_again_when_the_sink_was_mended()
    {
        var store = new ManualSink<double> { CheckError = new SinkConfigurationException("no") };
        await using var engine = new CepEngine();
        engine.From(Source.FromMemory<double>(new double[] { 1, 2 }, new long[2])).To(store);
        await Assert.ThrowsAsync<SinkConfigurationException>(() => engine.RunAsync().WaitAsync(Limit.Time));
        store.CheckError = null;
        await engine.RunAsync().WaitAsync(Limit.Time);
        Assert.Equal([1.0, 2], store.Rows);
    }

    [Fact]
    public async Task All_that_can_not_work_is_told_at_once()
    {
        await using var engine = new CepEngine();
        var stream = engine.From(Source.FromMemory<double>(new double[] { 1 }, new long[1]));
        stream.To(new ManualSink<double> { CheckError = new SinkConfigurationException("one") }, name: "a");
        stream.To(new ManualSink<double>(), name: "b");
        stream.To(new ManualSink<double> { CheckError = new SinkConfigurationException("two") }, name: "c");
        var error = await Assert.ThrowsAsync<SinkConfigurationException>(() => engine.StartAsync());
        Assert.Equal(
            ["Query 'a' can't write to its sink 'manual'. one", "Query 'c' can't write to its sink 'manual'. two"], error.Message.Split(Environment.NewLine));
    }

    [Fact]
    public async Task Trouble_that_may_pass_does_not_fail_the_start()
    {
        var store = new ManualSink<double> { CheckError = new IOException("locked") };
        await using var engine = new CepEngine();
        engine.From(Source.FromMemory<double>(new double[] { 1, 2 }, new long[2])).To(store);
        await engine.RunAsync().WaitAsync(Limit.Time);
        Assert.Equal([1.0, 2], store.Rows);
    }

    [Fact]
    public async Task A_query_declared_after_the_start_fails_alone()
    {
        var transport = new ManualTransport();
        var store = new ManualSink<double>(isDurable: true);
        await using var engine = new CepEngine();
        var stream = engine.From(transport.ToSource());
        stream.To(store);
        await engine.StartAsync();
        var wrong = stream.To(new ManualSink<double>(isDurable: true) { CheckError = new SinkConfigurationException("no") });
        await transport.SendAsync("1", acknowledge: true);
        await transport.WaitForAcknowledgedAsync(1);
        await engine.DrainAsync().WaitAsync(Limit.Time);
        Assert.Equal([1.0], store.Rows);
        Assert.Equal((QueryState.Failed, true), (wrong.State, wrong.Error is SinkConfigurationException));
    }

    [Fact]
    public async Task A_run_that_is_cancelled_before_it_began_ends_quietly()
    {
        await using var engine = new CepEngine();
        engine.From(Source.FromMemory<double>(new double[] { 1 }, new long[1])).To(new ManualSink<double>());
        await engine.RunAsync(new CancellationToken(canceled: true)).WaitAsync(Limit.Time);
    }
}
