using BenchmarkDotNet.Running;
using IoT.Cep.Benchmarks.Compare;
using IoT.Cep.Benchmarks.Workloads;

if (args is ["compare", .. var rest])
{
    return await CompareCommand.RunAsync(rest);
}

if (args is [MqttConsumer.Command, .. var consume])
{
    return await MqttConsumer.RunAsync(consume);
}

if (args is [MqttIngestServer.Command, .. var serve])
{
    return await MqttIngestServer.RunAsync(serve);
}

if (args is [MqttIngestComparison.Prefix + "-idle"])
{
    return await MqttIngestComparison.MeasureIdleAsync();
}

if (args is [LatencyCommand.Name, ..])
{
    return await LatencyCommand.RunAsync();
}

if (args is [ShardsCommand.Name, ..])
{
    return await ShardsCommand.RunAsync();
}

if (args is [MemoryCommand.Name, .. var measure])
{
    return await MemoryCommand.RunAsync(measure);
}

BenchmarkSwitcher.FromAssembly(typeof(CompareCommand).Assembly).Run(args);
return 0;
