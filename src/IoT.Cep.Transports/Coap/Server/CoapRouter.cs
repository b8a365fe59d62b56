using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Something that a server answers requests for.</summary>
internal interface ICoapResource
{
    /// <summary>Whether a path is its own.</summary>
    /// <param name="path">The path, without a slash in front.</param>
    bool Takes(string path);

    /// <summary>How it stands in /.well-known/core; null: not at all.</summary>
    CoapLinkDescription? Description { get; }

    /// <summary>Whether it stands for other paths as well, so that more exact ones go first.</summary>
    bool IsPattern { get; }

    /// <summary>Answers a request for it.</summary>
    /// <param name="request">The request.</param>
    ValueTask<CoapMessage?> HandleAsync(CoapRequest request);

    /// <summary>An observer wants no more.</summary>
    /// <param name="observer">Which.</param>
    void Forget(CoapObserverKey observer)
    {
    }

    /// <summary>Observers that may not observe any longer, as far as is known, must ask again.</summary>
    /// <param name="whose">Which.</param>
    /// <param name="why">What they are told.</param>
    void End(Func<CoapObserverKey, bool> whose, CoapCode why)
    {
    }

    /// <summary>A peer is gone.</summary>
    /// <param name="link">What it was connected by.</param>
    /// <param name="remote">The peer.</param>
    void ForgetAll(ICoapLink link, CoapRemote remote)
    {
    }
}

/// <summary>Gives requests to the resources of their paths, and lists the resources (RFC 6690).</summary>
internal sealed class CoapRouter : ICoapHandler
{
    internal const string WellKnown = ".well-known/core";

    private readonly Lock _gate = new();

    // Replaced as a whole: requests read it without the lock.
    private ICoapResource[] _resources = [];

    internal void Add(ICoapResource resource)
    {
        lock (_gate)
        {
            // A path of its own goes before a pattern that takes it too.
            _resources = [.. _resources.Append(resource).OrderBy(static r => r.IsPattern)];
        }
    }

    internal void Remove(ICoapResource resource)
    {
        lock (_gate)
        {
            _resources = [.. _resources.Where(r => r != resource)];
        }
    }

    public ValueTask<CoapMessage?> HandleAsync(CoapRequest request)
    {
        string path = request.Message.Path;
        foreach (var resource in _resources)
        {
            if (resource.Takes(path))
            {
                return resource.HandleAsync(request);
            }
        }

        return new(path != WellKnown ? CoapMessage.Error(CoapCode.NotFound)
            : request.Message.Code != CoapCode.Get ? CoapMessage.Error(CoapCode.MethodNotAllowed)
            : Discover(request.Message));
    }

    public void OnRejected(ICoapLink link, CoapRemote remote, CoapToken token)
    {
        foreach (var resource in _resources)
        {
            resource.Forget(new CoapObserverKey(link, remote, token));
        }
    }

    public void OnGone(ICoapLink link, CoapRemote remote)
    {
        foreach (var resource in _resources)
        {
            resource.ForgetAll(link, remote);
        }
    }

    internal void End(Func<CoapObserverKey, bool> whose, CoapCode why)
    {
        foreach (var resource in _resources)
        {
            resource.End(whose, why);
        }
    }

    private CoapMessage Discover(CoapMessage request)
    {
        if (request.UInt(CoapOptionNumber.Accept) is { } accept && accept != CoapContentFormats.LinkFormat)
        {
            return CoapMessage.Error(CoapCode.NotAcceptable);
        }

        var queries = request.Texts(CoapOptionNumber.UriQuery);
        byte[] links = CoapLinkFormat.Write(_resources.Select(static r => r.Description).OfType<CoapLinkDescription>().Where(d => queries.All(d.Matches)));
        return new CoapMessage(CoapCode.Content, new CoapOptionBuilder().Add(CoapOptionNumber.ContentFormat, CoapContentFormats.LinkFormat).ToArray(), links);
    }
}
