using System.Buffers;

namespace IoT.Cep;

/// <summary>Puts results into a feed: those who listen read at their own pace.</summary>
/// <typeparam name="T">The result's type.</typeparam>
/// <param name="feed">Where they go.</param>
/// <param name="encode">Writes a result.</param>
internal sealed class HttpPublishSink<T>(ResultFeed feed, Action<T, IBufferWriter<byte>> encode) : MessageSink<T>(feed.Name, encode)
{
    public override ValueTask DisposeAsync()
    {
        feed.Ring.Tell(isEnd: true);
        return base.DisposeAsync();
    }

    protected override void Put(T result, int row, byte[] message) => feed.Ring.Append(message);

    protected override void Tell() => feed.Ring.Tell();
}
