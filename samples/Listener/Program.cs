using System.Runtime.InteropServices;
using System.Security.Cryptography;
using IoT.Cep.Extensibility;
using Listener;

const int CouldNotRun = 1, Misused = 2, Interrupted = 130;

CommandLine options;
try
{
    options = CommandLine.Parse(args);
}
catch (FormatException error)
{
    Console.Error.WriteLine(SafeText.Escape(error.Message, 500));
    Console.Error.WriteLine("--help shows all options.");
    return Misused;
}

if (options.WantsHelp)
{
    Console.WriteLine(CommandLine.Help);
    return 0;
}

using var stop = new CancellationTokenSource();
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
bool writesLines = options.WantsJson || Console.IsOutputRedirected || Environment.GetEnvironmentVariable("TERM") == "dumb";
var output = new Output(writesLines, options.Count, stop.Cancel);
try
{
    await using var listeners = new Listeners(options, output);
    await listeners.StartAsync();
    var view = writesLines ? Task.CompletedTask : new LiveView(output, TimeProvider.System).RunAsync(stop.Token);
    using var time = new CancellationTokenSource(options.Duration ?? Timeout.InfiniteTimeSpan, TimeProvider.System);
    using var end = CancellationTokenSource.CreateLinkedTokenSource(stop.Token, time.Token);
    await Task.WhenAny(listeners.Engine.Completion, Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, end.Token));
    if (listeners.Engine.Completion.IsFaulted)
    {
        await listeners.Engine.Completion;
    }

    await listeners.Engine.DrainAsync();
    await stop.CancelAsync();
    await view;
    return 0;
}
catch (Exception error) when (error is InvalidOperationException or SinkConfigurationException or IOException or UnauthorizedAccessException or CryptographicException or System.Net.Sockets.SocketException)
{
    Console.Error.WriteLine(SafeText.Escape(error.Message, 1000));
    return CouldNotRun;
}

// The first one ends in good order, a second one at once.
void Stop(PosixSignalContext signal)
{
    signal.Cancel = true;
    if (stop.IsCancellationRequested)
    {
        Environment.Exit(Interrupted);
    }

    stop.Cancel();
}
