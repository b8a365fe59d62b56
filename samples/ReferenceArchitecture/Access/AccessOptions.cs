using IoT.Reference.Contracts;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Reference.Access;

/// <summary>Where the decision point is, and how its answers are kept.</summary>
public sealed record AccessOptions
{
    /// <summary>Where <c>Identity</c> listens.</summary>
    public required Uri Identity { get; init; }

    /// <summary>What this layer proves itself with there.</summary>
    public required ServiceCredential Service { get; init; }

    /// <summary>What <c>Identity</c> calls itself in its tokens. Null, the default: its address.</summary>
    public Uri? Issuer { get; init; }

    /// <summary>How long a decision is believed unless a change is told before. Default: 10 s, which is also how long an enforcement point works on when <c>Identity</c> is away.</summary>
    public TimeSpan DecisionLifetime { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How many decisions are kept, how many verified secrets, and how many questions may wait. Default: 65,536.</summary>
    public int MaxDecisions { get; init; } = 65_536;

    /// <summary>The clock. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Where refusals and lost connections are told. Default: nowhere.</summary>
    public ILogger Logger { get; init; } = NullLogger.Instance;

    /// <summary>Told of every refusal, and of what is permitted with the obligation <c>audit</c>; must not block. Default: nobody.</summary>
    public Action<AuditEntry>? Audit { get; init; }

    /// <summary>Makes what requests go through, where a development certificate has to be trusted. Null, the default: plain sockets without redirections.</summary>
    public Func<HttpMessageHandler>? Handler { get; init; }

    internal HttpMessageHandler MakeHandler() =>
        Handler?.Invoke() ?? new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, PooledConnectionLifetime = TimeSpan.FromMinutes(10) };
}
