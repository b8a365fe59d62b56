using System.Collections.Concurrent;

namespace IoT.Cep;

/// <summary>A few threads for handshakes, which block; so many may wait for one, and no more.</summary>
internal sealed class HandshakeThreads : IDisposable
{
    private readonly BlockingCollection<Action> _waiting;

    internal HandshakeThreads(int threads, int capacity)
    {
        _waiting = new BlockingCollection<Action>(capacity);
        for (int i = 0; i < threads; i++)
        {
            new Thread(Run) { IsBackground = true, Name = "DTLS handshakes" }.Start();
        }
    }

    /// <summary>Runs a handshake as soon as a thread is free; false: too many wait.</summary>
    /// <param name="handshake">Throws nothing.</param>
    internal bool TryRun(Action handshake)
    {
        try
        {
            return _waiting.TryAdd(handshake);
        }
        catch (InvalidOperationException)
        {
            // It was closed meanwhile.
            return false;
        }
    }

    public void Dispose() => _waiting.CompleteAdding();

    private void Run()
    {
        foreach (var handshake in _waiting.GetConsumingEnumerable())
        {
            handshake();
        }
    }
}
