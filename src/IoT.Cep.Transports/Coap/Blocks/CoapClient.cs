using System.Buffers;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Whole requests and responses: bodies that are longer than a message go in blocks (RFC 7959), and a server that wants to see an address proved gets its Echo
/// back (RFC 9175). One block after the other: each is an exchange of its own.
/// </summary>
/// <param name="link">What it speaks through.</param>
/// <param name="remote">The server.</param>
/// <param name="maxBodyBytes">The largest response.</param>
/// <param name="random">Makes request tags.</param>
internal sealed class CoapClient(ICoapLink link, CoapRemote remote, int maxBodyBytes, CoapRandom random)
{
    /// <summary>A body that changes while it is fetched is begun again this often.</summary>
    private const int MaxRestarts = 3;

    private Func<CancellationToken, ValueTask<string?>>? _token;

    internal ICoapLink Link => link;

    internal CoapRemote Remote => remote;

    /// <summary>Sends a request and gives the whole response.</summary>
    /// <param name="request">The request.</param>
    /// <param name="stop">Gives up.</param>
    /// <param name="observation">Takes further responses; null: there is one.</param>
    /// <exception cref="CoapException">There was no response, or it makes no sense.</exception>
    internal async Task<CoapMessage> SendAsync(CoapMessage request, CancellationToken stop, CoapObservation? observation = null)
    {
        var response = await SendBodyAsync(request, observation, stop).ConfigureAwait(false);
        if (response.Code == CoapCode.Unauthorized && _token is not null && await IsKnownAgainAsync(stop).ConfigureAwait(false))
        {
            // The server had forgotten whose session this is: a restart, a token that ended. What it refused was not done.
            response = await SendBodyAsync(request, observation, stop).ConfigureAwait(false);
        }

        return response.Block2 is { HasMore: true } && response.Code.IsSuccess() ? await FetchRestAsync(request, response, stop).ConfigureAwait(false) : response;
    }

    /// <summary>Says who this client is, now and whenever the server does not know it any more.</summary>
    /// <param name="token">Gives the token.</param>
    /// <param name="stop">Gives up.</param>
    /// <exception cref="CoapException">The server refuses the token.</exception>
    internal async Task ProveByAsync(Func<CancellationToken, ValueTask<string?>> token, CancellationToken stop)
    {
        _token = token;
        if (await TryShowAsync(stop).ConfigureAwait(false) is { } refused)
        {
            throw new CoapException($"The server refused the token: {refused.Code.Text()} {SafeText.Escape(refused.Payload.Span)}".TrimEnd() + ".");
        }
    }

    private async Task<bool> IsKnownAgainAsync(CancellationToken stop)
    {
        try
        {
            return await TryShowAsync(stop).ConfigureAwait(false) is null;
        }
        catch (CoapException)
        {
            // Then the refusal stands.
            return false;
        }
    }

    /// <summary>Null: it was taken, or there is none to show.</summary>
    private async Task<CoapMessage?> TryShowAsync(CancellationToken stop)
    {
        string? token;
        try
        {
            token = await _token!(stop).ConfigureAwait(false);
        }
        catch (Exception error) when (error is not OutOfMemoryException && !stop.IsCancellationRequested)
        {
            // Whoever gives tokens is away: as if the server were, and to be tried again.
            throw new CoapException($"There is no token: {SafeText.Escape(error.Message)}");
        }

        if (token is null)
        {
            return null;
        }

        var options = new CoapOptionBuilder().Add(CoapOptionNumber.UriPath, CoapAuthorization.Place).Add(CoapOptionNumber.ContentFormat, (uint)CoapContentFormats.Text);
        var answer = await SendBodyAsync(new CoapMessage(CoapCode.Post, options.ToArray(), System.Text.Encoding.ASCII.GetBytes(token)), null, stop).ConfigureAwait(false);
        return answer.Code.IsSuccess() ? null : answer;
    }

    /// <summary>Fetches what is behind a response's first block.</summary>
    /// <param name="request">The request.</param>
    /// <param name="first">The response with the first block.</param>
    /// <param name="stop">Gives up.</param>
    internal async Task<CoapMessage> FetchRestAsync(CoapMessage request, CoapMessage first, CancellationToken stop)
    {
        for (int restarts = 0; ; restarts++)
        {
            var (body, changed) = await FetchAsync(request, first, stop).ConfigureAwait(false);
            if (body is not null)
            {
                return body;
            }

            if (restarts == MaxRestarts)
            {
                throw new CoapException($"The resource at {remote.Address} changes faster than it can be fetched.");
            }

            // The block that told of the change may be one in the middle.
            first = changed!.Block2 is { Number: 0 } ? changed : await ExchangeAsync(NextBlock(request, new CoapBlock(0, false, SizeExponent)), null, stop).ConfigureAwait(false);
            if (first.Block2 is not { HasMore: true } || !first.Code.IsSuccess())
            {
                return first;
            }
        }
    }

    private int SizeExponent => link.HasBert ? CoapBlock.Bert : CoapBlock.ExponentOf(link.MaxPayload(remote));

    private async Task<(CoapMessage? Body, CoapMessage? Changed)> FetchAsync(CoapMessage request, CoapMessage first, CancellationToken stop)
    {
        var body = new ArrayBufferWriter<byte>();
        var etag = first.Opaque(CoapOptionNumber.ETag);
        var response = first;
        if (first.Block2 is { Number: not 0 })
        {
            throw new CoapException($"{remote.Address} began with a block in the middle.");
        }

        while (true)
        {
            var block = response.Block2 ?? throw new CoapException($"{remote.Address} stopped in the middle of a body.");
            CheckBlock(block, response.Payload.Length, body.WrittenCount);
            body.Write(response.Payload.Span);
            if (!block.HasMore)
            {
                var options = new CoapOptionBuilder().AddAll(first.Options, CoapOptionNumber.Block2, CoapOptionNumber.Size2);
                return (new CoapMessage(first.Code, options.ToArray(), body.WrittenMemory), null);
            }

            if (response.UInt(CoapOptionNumber.Size2) > (uint)maxBodyBytes)
            {
                throw new CoapException($"{remote.Address} announces a body of more than {maxBodyBytes} bytes.");
            }

            var next = new CoapBlock(body.WrittenCount / block.Size, false, block.SizeExponent);
            response = await ExchangeAsync(NextBlock(request, next), null, stop).ConfigureAwait(false);
            if (!response.Code.IsSuccess())
            {
                return (response, null);
            }

            if (!Same(etag, response.Opaque(CoapOptionNumber.ETag)))
            {
                return (null, response);
            }
        }
    }

    private static bool Same(ReadOnlyMemory<byte>? one, ReadOnlyMemory<byte>? other) =>
        one is null ? other is null : other is not null && one.Value.Span.SequenceEqual(other.Value.Span);

    private void CheckBlock(CoapBlock block, int length, int before)
    {
        bool isWhole = block.SizeExponent == CoapBlock.Bert ? length > 0 && length % block.Size == 0 : length == block.Size;
        if (block.Offset != before || (block.HasMore && !isWhole) || (block.SizeExponent == CoapBlock.Bert && !link.HasBert))
        {
            throw new CoapException($"{remote.Address} sent a block that does not fit.");
        }

        if (before + length > maxBodyBytes)
        {
            throw new CoapException($"{remote.Address} sent a body of more than {maxBodyBytes} bytes.");
        }
    }

    private static CoapMessage NextBlock(CoapMessage request, CoapBlock block)
    {
        // Only a FETCH says by its payload what it wants; the others' was taken with the last block of the request.
        bool keepsPayload = request.Code == CoapCode.Fetch;
        var options = new CoapOptionBuilder();
        options = keepsPayload
            ? options.AddAll(request.Options, CoapOptionNumber.Observe, CoapOptionNumber.Block1, CoapOptionNumber.Block2)
            : options.AddAll(request.Options, CoapOptionNumber.Observe, CoapOptionNumber.Block1, CoapOptionNumber.Block2, CoapOptionNumber.ContentFormat, CoapOptionNumber.Size1);
        return new CoapMessage(request.Code, options.Add(CoapOptionNumber.Block2, block.Value).ToArray(), keepsPayload ? request.Payload : default);
    }

    private async Task<CoapMessage> SendBodyAsync(CoapMessage request, CoapObservation? observation, CancellationToken stop)
    {
        int exponent = SizeExponent;
        if (request.Payload.Length <= link.MaxPayload(remote))
        {
            var response = await ExchangeAsync(request, observation, stop).ConfigureAwait(false);
            if (response is not { Code: CoapCode.RequestEntityTooLarge, Block1: { } wanted } || wanted.Size >= request.Payload.Length)
            {
                return response;
            }

            exponent = wanted.SizeExponent;
        }

        for (int restarts = 0; ; restarts++)
        {
            var (response, smaller) = await SendBlocksAsync(request, exponent, observation, stop).ConfigureAwait(false);
            bool mayRestart = smaller < exponent || response.Code == CoapCode.RequestEntityIncomplete;
            if (!mayRestart || restarts == MaxRestarts)
            {
                return response;
            }

            exponent = smaller;
        }
    }

    private async Task<(CoapMessage Response, int SizeExponent)> SendBlocksAsync(CoapMessage request, int exponent, CoapObservation? observation, CancellationToken stop)
    {
        // Tells the blocks of this body from those of another one that was given up (RFC 9175, 3).
        byte[] tag = new byte[CoapToken.MaxLength];
        random.Token().Write(tag);
        int sent = 0;
        while (true)
        {
            var block = new CoapBlock(sent / new CoapBlock(0, false, exponent).Size, false, exponent);
            int most = exponent == CoapBlock.Bert ? Math.Max(block.Size, link.MaxPayload(remote) / block.Size * block.Size) : block.Size;
            int length = Math.Min(most, request.Payload.Length - sent);
            block = block with { HasMore = sent + length < request.Payload.Length };
            if (block.Number > CoapBlock.MaxNumber)
            {
                throw new CoapException("The body has more blocks than can be counted.");
            }

            var options = new CoapOptionBuilder().AddAll(request.Options).Add(CoapOptionNumber.Block1, block.Value).Add(CoapOptionNumber.RequestTag, tag);
            if (sent == 0)
            {
                options.Add(CoapOptionNumber.Size1, (uint)request.Payload.Length);
            }

            var message = new CoapMessage(request.Code, options.ToArray(), request.Payload.Slice(sent, length));
            var response = await ExchangeAsync(message, block.HasMore ? null : observation, stop).ConfigureAwait(false);
            var answered = response.Block1;
            if (response.Code == CoapCode.RequestEntityTooLarge && sent == 0 && answered?.SizeExponent < exponent)
            {
                return (response, answered.Value.SizeExponent);
            }

            if (!block.HasMore || response.Code != CoapCode.Continue)
            {
                return (response, exponent);
            }

            if (answered?.Number != block.Number)
            {
                throw new CoapException($"{remote.Address} answered another block than the one that was sent.");
            }

            // The server may want smaller ones from here on; what it has is counted in bytes.
            sent += length;
            exponent = Math.Min(exponent, answered.Value.SizeExponent);
        }
    }

    private async Task<CoapMessage> ExchangeAsync(CoapMessage request, CoapObservation? observation, CancellationToken stop)
    {
        var response = await link.ExchangeAsync(remote, request, observation, stop).ConfigureAwait(false);
        return response.Code == CoapCode.Unauthorized && response.Opaque(CoapOptionNumber.Echo) is { } echo
            ? await link.ExchangeAsync(remote, request.With(CoapOptionNumber.Echo, echo), observation, stop).ConfigureAwait(false)
            : response;
    }
}
