using System.Runtime.InteropServices;

namespace IoT.Reference.Contracts;

/// <summary>Runs a layer as a process of its own.</summary>
public static class LayerProgram
{
    /// <summary>Reads the command line, starts the layer, and stops it in order at Ctrl-C or when the system says so; a second Ctrl-C ends at once.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="what">What the layer is, for <c>--help</c>.</param>
    /// <param name="options">Its options.</param>
    /// <param name="start">Starts it; gives the layer, and the lines to print: where to look.</param>
    /// <returns>0: it ended as asked. 1: it could not run. 2: the command line is wrong.</returns>
    public static async Task<int> RunAsync(
        string[] args, string what, IReadOnlyList<LayerOption> options, Func<LayerArguments, CancellationToken, Task<(IAsyncDisposable Layer, string[] Lines)>> start)
    {
        ArgumentNullException.ThrowIfNull(args);
        ArgumentNullException.ThrowIfNull(start);
        if (args is ["--help" or "-h"])
        {
            Console.Out.WriteLine(LayerArguments.Help(what, options));
            return 0;
        }

        using var stop = new CancellationTokenSource();
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void End(PosixSignalContext context)
        {
            context.Cancel = !stop.IsCancellationRequested;
            stop.Cancel();
            stopped.TrySetResult();
        }

        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        try
        {
            (IAsyncDisposable layer, string[] lines) = await start(LayerArguments.Parse(args, options), stop.Token);
            await using (layer)
            {
                foreach (string line in lines)
                {
                    Console.Out.WriteLine(line);
                }

                await stopped.Task;
            }

            return 0;
        }
        catch (FormatException e)
        {
            Console.Error.WriteLine(e.Message);
            return 2;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return 0;
        }
        catch (Exception e) when (e is IOException or InvalidOperationException or System.Net.Sockets.SocketException or HttpRequestException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(e.Message);
            return 1;
        }
    }
}
