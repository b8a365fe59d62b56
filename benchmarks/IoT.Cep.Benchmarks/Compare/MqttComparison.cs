using IoT.Cep.Benchmarks.Workloads;

namespace IoT.Cep.Benchmarks.Compare;

/// <summary>
/// Messages of QoS 0 from the embedded broker to a consumer in a process of its own, whose processor time alone counts: the library's
/// <c>Mqtt.Subscribe</c> beside MQTTnet's client. The publisher writes prepared packets into a socket, the same for both.
/// </summary>
internal static class MqttComparison
{
    private const int WarmUp = 200_000;
    private const int MostMessages = 500_000;

    internal static async Task<Figures> RunAsync(CompareOptions options)
    {
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0 });
        int count = Math.Min(options.Events, MostMessages);
        var cep = new List<MqttRun>();
        var bare = new List<MqttRun>();
        for (int run = 0; run < options.Runs; run++)
        {
            cep.Add(await RunAsync("cep", broker.Port, count, options.Devices));
            bare.Add(await RunAsync("mqttnet", broker.Port, count, options.Devices));
        }

        return new Figures(
            "mqtt", options.Devices, MqttLoad.SpeedOf(cep), null, MqttLoad.SpeedOf(bare), cep.Min(r => r.AllocatedPerMessage), null)
        {
            FloorName = $"MQTTnet ({bare.Min(r => r.AllocatedPerMessage):F0} B)",
        };
    }

    private static async Task<MqttRun> RunAsync(string consumer, int port, int count, int devices)
    {
        var (process, _) = await MqttLoad.StartAsync(MqttConsumer.Command, consumer, MqttLoad.Text(port), MqttLoad.Text(WarmUp), MqttLoad.Text(count));
        using (process)
        {
            using var socket = await MqttLoad.ConnectAsync(port, "load");
            byte[] some = [.. MqttLoad.Packets(1_000, devices, isAcknowledged: false).SelectMany(p => p)];
            for (int sent = 0; sent < WarmUp + count; sent += 1_000)
            {
                await MqttLoad.SendAsync(socket, some);
            }

            await MqttLoad.LeaveAsync(socket);
            return await MqttLoad.FinishAsync(process);
        }
    }
}
