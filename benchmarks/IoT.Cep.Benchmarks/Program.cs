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

if (args is [CoapBenchmarkServer.Command, .. var answer])
{
    return await CoapBenchmarkServer.RunAsync(answer);
}

if (args is [MqttIngestServer.Command, .. var serve])
{
    return await MqttIngestServer.RunAsync(serve);
}

if (args is [MqttIngestComparison.Prefix + "-idle"])
{
    return await MqttIngestComparison.MeasureIdleAsync();
}

if (args is [HttpServing.Command, .. var serveHttp])
{
    return await HttpServing.RunAsync(serveHttp);
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

if (args is [ClientsCommand.Name, .. var clients])
{
    return await ClientsCommand.RunAsync(clients);
}

if (args is [ClientsCommand.HostName, .. var hosted])
{
    return await ClientsCommand.HostAsync(hosted);
}

BenchmarkSwitcher.FromAssembly(typeof(CompareCommand).Assembly).Run(args);
return 0;
