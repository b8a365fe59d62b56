using System.Runtime.InteropServices;
using IoT.Cep.Extensibility;
using Quickstart;
using Spectre.Console;

const int CouldNotRun = 1, Misused = 2, Interrupted = 130;

CommandLine options;
try
{
    options = CommandLine.Parse(args);
}
catch (FormatException error)
{
    Console.Error.WriteLine(error.Message);
    Console.Error.WriteLine("--help shows all options.");
    return Misused;
}

if (options.WantsHelp)
{
    Console.WriteLine(CommandLine.Help);
    return 0;
}

var clock = TimeProvider.System;
long stoppedAt = 0;
using var stop = new CancellationTokenSource();
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
try
{
    return await new Session(options, clock).RunAsync(stop.Token);
}
catch (InvalidDataException error)
{
    Console.Error.WriteLine(error.Message);
    return Misused;
}
catch (Exception error) when (error is InvalidOperationException or SinkConfigurationException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(error.Message);
    return CouldNotRun;
}
catch (OperationCanceledException) when (stop.IsCancellationRequested)
{
    Console.WriteLine("Stopped before the first reading.");
    return 0;
}

// The first one ends in good order, a second one at once. One that follows in the same half second is the same: the
// command "timeout", for one, signals the process and then its group.
void Stop(PosixSignalContext signal)
{
    signal.Cancel = true;
    if (!stop.IsCancellationRequested)
    {
        stoppedAt = clock.GetTimestamp();
        stop.Cancel();
    }
    else if (clock.GetElapsedTime(stoppedAt) > TimeSpan.FromMilliseconds(500))
    {
        if (!Console.IsOutputRedirected)
        {
            AnsiConsole.Cursor.Show();
        }

        Environment.Exit(Interrupted);
    }
}
