using System.Buffers;
using System.Buffers.Binary;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Stands before a server's resources: puts the blocks of requests together, and cuts long responses into blocks (RFC 7959). A response that is fetched in
/// blocks is kept until it was fetched or its time is over, so that all its blocks are of one representation.
/// </summary>
internal sealed class CoapBlockwise : ICoapHandler, IDisposable
{
    private readonly ICoapHandler _inner;
    private readonly CoapTransferSettings _settings;
    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly Lock _gate = new();
    private readonly CoapTransfers _transfers;
    private readonly ITimer _timer;
    private bool _isTimed;

    internal CoapBlockwise(ICoapHandler inner, CoapTransferSettings settings, TimeProvider time)
    {
        _inner = inner;
        _settings = settings;
        _time = time;
        _start = time.GetTimestamp();
        _transfers = new CoapTransfers(settings);
        _timer = time.CreateTimer(static s => ((CoapBlockwise)s!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    internal int Count
    {
        get
        {
            lock (_gate)
            {
                return _transfers.Count;
            }
        }
    }

    private long Now => _time.GetElapsedTime(_start).Ticks;

    public async ValueTask<CoapMessage?> HandleAsync(CoapRequest request)
    {
        var message = request.Message;
        if (message.Block1 is { } block1 && (block1.HasMore || block1.Number > 0))
        {
            return await ReceiveBlockAsync(request, block1).ConfigureAwait(false);
        }

        if (message.Payload.Length > _settings.MaxBodyBytes)
        {
            return TooLarge();
        }

        if (message.Block2 is { Number: > 0 } block2)
        {
            if (FindDownload(request) is { } response)
            {
                return Cut(request, response, block2);
            }

            // A resource that can be read again is cut anew; its ETag tells the client whether it is still the same.
            if (message.Code is not (CoapCode.Get or CoapCode.Fetch))
            {
                return CoapMessage.Error(CoapCode.RequestEntityIncomplete);
            }
        }

        return await AnswerAsync(request).ConfigureAwait(false);
    }

    public void OnRejected(ICoapLink link, CoapRemote remote, CoapToken token) => _inner.OnRejected(link, remote, token);

    public void OnGone(ICoapLink link, CoapRemote remote)
    {
        lock (_gate)
        {
            _transfers.RemoveAll(link, remote);
        }

        _inner.OnGone(link, remote);
    }

    public void Dispose() => _timer.Dispose();

    /// <summary>Cuts a notification to its first block; the rest can be fetched like that of a response.</summary>
    /// <param name="link">What the observer is connected by.</param>
    /// <param name="remote">The observer.</param>
    /// <param name="registration">The request that it registered by.</param>
    /// <param name="notification">The notification.</param>
    internal CoapMessage Cut(ICoapLink link, CoapRemote remote, CoapMessage registration, CoapMessage notification)
    {
        var request = new CoapRequest(link, remote, default, registration);
        return Cut(request, notification, registration.Block2 ?? new CoapBlock(0, false, Exponent(request)));
    }

    private async ValueTask<CoapMessage?> AnswerAsync(CoapRequest request)
    {
        var response = await _inner.HandleAsync(request).ConfigureAwait(false);
        return response is null ? null : Cut(request, response, request.Message.Block2 ?? new CoapBlock(0, false, Exponent(request)));
    }

    private async ValueTask<CoapMessage?> ReceiveBlockAsync(CoapRequest request, CoapBlock block)
    {
        var message = request.Message;
        bool isBert = block.SizeExponent == CoapBlock.Bert;
        if ((isBert && !request.Link.HasBert) || (block.HasMore && (isBert ? message.Payload.IsEmpty || message.Payload.Length % block.Size != 0 : message.Payload.Length != block.Size)))
        {
            return CoapMessage.Error(CoapCode.BadRequest, "The payload is no whole block.");
        }

        if (block.Offset + message.Payload.Length > _settings.MaxBodyBytes || message.UInt(CoapOptionNumber.Size1) > (uint)_settings.MaxBodyBytes)
        {
            return TooLarge();
        }

        var answer = new TaskCompletionSource<CoapMessage?>();
        Task<CoapMessage?>? earlier;
        CoapMessage whole;
        lock (_gate)
        {
            if (Add(request, block, out var upload) is { } refused)
            {
                return refused;
            }

            if (block.HasMore)
            {
                var accepted = block with { SizeExponent = Math.Min(block.SizeExponent, Exponent(request)) };
                return new CoapMessage(CoapCode.Continue, new CoapOptionBuilder().Add(CoapOptionNumber.Block1, accepted.Value).ToArray());
            }

            // The last block may come again, also while the first one is still being answered: both get the same answer.
            earlier = upload!.Result;
            upload.Result ??= answer.Task;
            var options = new CoapOptionBuilder().AddAll(message.Options, CoapOptionNumber.Block1, CoapOptionNumber.Size1);
            whole = new CoapMessage(message.Code, options.ToArray(), upload.Body.WrittenMemory);
        }

        var response = await (earlier ?? CompleteAsync(request with { Message = whole }, answer)).ConfigureAwait(false);
        return response?.With(CoapOptionNumber.Block1, block.Value);
    }

    private async Task<CoapMessage?> CompleteAsync(CoapRequest request, TaskCompletionSource<CoapMessage?> answer)
    {
        try
        {
            answer.SetResult(await AnswerAsync(request).ConfigureAwait(false));
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            answer.SetException(error);
        }

        return await answer.Task.ConfigureAwait(false);
    }

    /// <summary>Adds a block to its body, or gives the response that refuses it.</summary>
    private CoapMessage? Add(CoapRequest request, CoapBlock block, out CoapTransfer? upload)
    {
        long now = Now;
        var key = KeyOf(request, isUpload: true);
        var payload = request.Message.Payload;
        upload = _transfers.Find(key, isUpload: true, now);
        if (block.Number == 0)
        {
            // Also in the middle of a body: the client begins again (RFC 7959, 2.5).
            upload = _transfers.Begin(key, isUpload: true, now, payload.Length);
            if (upload is null)
            {
                return CoapAnswers.Busy;
            }

            SetTimer();
        }

        if (upload is null)
        {
            return CoapMessage.Error(CoapCode.RequestEntityIncomplete, "The blocks before this one are not here.");
        }

        var body = upload.Body;
        if (block.Offset + payload.Length <= body.WrittenCount && body.WrittenSpan.Slice((int)block.Offset, payload.Length).SequenceEqual(payload.Span))
        {
            // It came before.
            return null;
        }

        if (upload.Result is not null || body.WrittenCount != block.Offset)
        {
            return CoapMessage.Error(CoapCode.RequestEntityIncomplete, "Another block was expected.");
        }

        _transfers.Change(upload, u => u.Body.Write(payload.Span));
        return null;
    }

    private CoapMessage? FindDownload(CoapRequest request)
    {
        lock (_gate)
        {
            return _transfers.Find(KeyOf(request, isUpload: false), isUpload: false, Now)?.Response;
        }
    }

    private CoapMessage Cut(CoapRequest request, CoapMessage response, CoapBlock wanted)
    {
        int exponent = Math.Min(wanted.SizeExponent, Exponent(request));
        var payload = response.Payload;
        int unit = new CoapBlock(0, false, exponent).Size;
        int most = exponent == CoapBlock.Bert ? Math.Max(unit, request.Link.MaxPayload(request.Remote) / unit * unit) : unit;
        long offset = wanted.Offset;
        bool asksForBlocks = request.Message.Has(CoapOptionNumber.Block2) && response.Code.IsSuccess();
        if (payload.Length <= request.Link.MaxPayload(request.Remote) && offset == 0 && !asksForBlocks)
        {
            return response;
        }

        if (!response.Code.IsSuccess() && payload.Length > most)
        {
            return new CoapMessage(response.Code, response.Options, payload[..most]);
        }

        if (offset > 0 && offset >= payload.Length)
        {
            return CoapMessage.Error(CoapCode.BadOption, "There is no such block.");
        }

        var options = new CoapOptionBuilder().AddAll(response.Options);
        if (!response.Has(CoapOptionNumber.ETag) && response.Code == CoapCode.Content)
        {
            options.Add(CoapOptionNumber.ETag, Hash(payload.Span));
        }

        int length = (int)Math.Min(most, payload.Length - offset);
        bool hasMore = offset + length < payload.Length;
        if (offset == 0)
        {
            options.Add(CoapOptionNumber.Size2, (uint)payload.Length);
        }

        Keep(request, response, hasMore);
        options.Add(CoapOptionNumber.Block2, new CoapBlock((int)(offset / unit), hasMore, exponent).Value);
        return new CoapMessage(response.Code, options.ToArray(), payload.Slice((int)offset, length));
    }

    /// <summary>Keeps a response as long as blocks of it are missing. Where there is no room, a resource that can be read again is, and anything else is lost to the client.</summary>
    private void Keep(CoapRequest request, CoapMessage response, bool hasMore)
    {
        lock (_gate)
        {
            long now = Now;
            var key = KeyOf(request, isUpload: false);
            var download = _transfers.Find(key, isUpload: false, now);
            if (!hasMore && download is not null)
            {
                _transfers.Remove(download);
            }
            else if (hasMore && download?.Response != response)
            {
                download = _transfers.Begin(key, isUpload: false, now, response.Payload.Length);
                if (download is not null)
                {
                    _transfers.Change(download, d => d.Response = response);
                    SetTimer();
                }
            }
        }
    }

    private static int Exponent(CoapRequest request) => request.Link.HasBert ? CoapBlock.Bert : CoapBlock.ExponentOf(request.Link.MaxPayload(request.Remote));

    /// <summary>Requests are of one body when all but the blocks is the same (RFC 7959, 2.5; RFC 9175, 3.3).</summary>
    private static CoapTransferKey KeyOf(CoapRequest request, bool isUpload)
    {
        var options = new CoapOptionBuilder();
        var reader = new CoapOptionReader(request.Message.Options.Span);
        while (reader.Next())
        {
            bool isOfTheBlock = reader.Number is CoapOptionNumber.Block1 or CoapOptionNumber.Block2 or CoapOptionNumber.Observe or CoapOptionNumber.Echo
                || CoapOptionNumber.IsNoCacheKey(reader.Number);
            bool isOfTheUpload = reader.Number is CoapOptionNumber.RequestTag or CoapOptionNumber.ContentFormat;
            if (!isOfTheBlock && (isUpload || !isOfTheUpload))
            {
                options.Add(reader.Number, request.Message.Options.Slice(reader.ValueStart, reader.Value.Length));
            }
        }

        return new CoapTransferKey(request.Link, request.Remote, (char)request.Message.Code + Convert.ToBase64String(options.ToArray()));
    }

    /// <summary>FNV-1a: tells representations of one resource apart, no more.</summary>
    internal static byte[] Hash(ReadOnlySpan<byte> bytes)
    {
        const ulong Offset = 14_695_981_039_346_656_037, Prime = 1_099_511_628_211;
        ulong hash = Offset;
        foreach (byte b in bytes)
        {
            hash = (hash ^ b) * Prime;
        }

        byte[] etag = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(etag, hash);
        return etag;
    }

    private CoapMessage TooLarge() => new(CoapCode.RequestEntityTooLarge, new CoapOptionBuilder().Add(CoapOptionNumber.Size1, (uint)_settings.MaxBodyBytes).ToArray());

    private void SetTimer()
    {
        if (!_isTimed)
        {
            _isTimed = true;
            _timer.Change(_settings.TimeToLive, Timeout.InfiniteTimeSpan);
        }
    }

    private void OnTimer()
    {
        lock (_gate)
        {
            _isTimed = false;
            long now = Now;
            if (_transfers.Expire(now) is { } next)
            {
                _isTimed = true;
                _timer.Change(TimeSpan.FromTicks(next - now) + TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
            }
        }
    }
}
