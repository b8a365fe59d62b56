using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A resource whose representation is the latest of something; GET reads it, and it can be observed.</summary>
internal sealed class CoapStateResource : ICoapResource
{
    private static readonly CoapMessage _nothingYet = new(CoapCode.Content, new CoapOptionBuilder().Add(CoapOptionNumber.MaxAge, 0u).ToArray());

    private readonly string _path;
    private readonly int _contentFormat;
    private readonly uint _maxAge;
    private readonly CoapBlockwise _blockwise;
    private readonly Func<CoapRequest, ValueTask<CoapMessage?>> _refuse;
    private CoapMessage _state = _nothingYet;

    internal CoapStateResource(
        string path, int contentFormat, CoapStateSettings settings, CoapBlockwise blockwise, TimeProvider time, Func<CoapRequest, ValueTask<CoapMessage?>> refuse)
    {
        _path = path;
        _contentFormat = contentFormat;
        _maxAge = (uint)settings.MaxAge.TotalSeconds;
        _blockwise = blockwise;
        _refuse = refuse;
        Observers = new CoapObservers(Notification, settings.IsConfirmable, settings.MaxObservers, time);
        Description = new CoapLinkDescription(path) { ContentFormat = contentFormat < 0 ? null : contentFormat, IsObservable = true, ResourceType = settings.ResourceType };
    }

    public CoapLinkDescription? Description { get; }

    public bool IsPattern => false;

    internal CoapObservers Observers { get; }

    public bool Takes(string path) => path == _path;

    /// <summary>Shows another state.</summary>
    /// <param name="payload">Its representation.</param>
    internal void Set(ReadOnlyMemory<byte> payload)
    {
        var options = new CoapOptionBuilder().Add(CoapOptionNumber.ETag, CoapBlockwise.Hash(payload.Span)).Add(CoapOptionNumber.MaxAge, _maxAge);
        if (_contentFormat >= 0)
        {
            options.Add(CoapOptionNumber.ContentFormat, (uint)_contentFormat);
        }

        Volatile.Write(ref _state, new CoapMessage(CoapCode.Content, options.ToArray(), payload));
        Observers.Changed();
    }

    public async ValueTask<CoapMessage?> HandleAsync(CoapRequest request)
    {
        var message = request.Message;
        if (message.Code != CoapCode.Get)
        {
            return CoapMessage.Error(CoapCode.MethodNotAllowed);
        }

        if (await _refuse(request).ConfigureAwait(false) is { } refused)
        {
            return refused;
        }

        if (message.UInt(CoapOptionNumber.Accept) is { } accept && _contentFormat >= 0 && accept != _contentFormat)
        {
            return CoapMessage.Error(CoapCode.NotAcceptable);
        }

        var key = new CoapObserverKey(request.Link, request.Remote, request.Token);
        bool isObserver = message.Observe == 0 && Observers.TryAdd(key, message);
        if (message.Observe == 1)
        {
            Observers.Remove(key);
        }

        uint sequence = Observers.Sequence;
        var response = Unchanged(message, Volatile.Read(ref _state));
        return isObserver ? response.With(CoapOptionNumber.Observe, sequence) : response;
    }

    public void Forget(CoapObserverKey observer) => Observers.Remove(observer);

    public void End(Func<CoapObserverKey, bool> whose, CoapCode why) => Observers.End(whose, why);

    public void ForgetAll(ICoapLink link, CoapRemote remote) => Observers.RemoveAll(link, remote);

    /// <summary>2.03 where the client has named what it has, and it is still that (RFC 7252, 5.10.6.2).</summary>
    private static CoapMessage Unchanged(CoapMessage request, CoapMessage state) =>
        state.Opaque(CoapOptionNumber.ETag) is { } etag && request.Has(CoapOptionNumber.ETag, etag.Span)
            ? new CoapMessage(CoapCode.Valid, new CoapOptionBuilder().AddAll(state.Options, CoapOptionNumber.ContentFormat).ToArray())
            : state;

    private CoapMessage Notification(CoapObserverKey observer, CoapMessage registration, uint sequence) =>
        _blockwise.Cut(observer.Link, observer.Remote, registration, Unchanged(registration, Volatile.Read(ref _state)).With(CoapOptionNumber.Observe, sequence));
}

/// <summary>How a state is shown.</summary>
internal sealed record CoapStateSettings
{
    /// <summary>How long a client may take it for the current one.</summary>
    internal TimeSpan MaxAge { get; init; } = TimeSpan.FromSeconds(60);

    internal bool IsConfirmable { get; init; } = true;

    internal int MaxObservers { get; init; } = 1000;

    internal string? ResourceType { get; init; }
}
