namespace IoT.Cep;

/// <summary>What all endpoints of an <see cref="HttpServer"/> have in common.</summary>
public sealed class HttpServerOptions
{
    /// <summary>Who may do what. By default programs on this machine may do everything, and nobody else anything.</summary>
    public ListenerSecurity Security { get; set; } = ListenerSecurity.LoopbackOnly;

    /// <summary>
    /// The origins of web pages that may call, as browsers write them: <c>https://plant.example</c>. Empty, the default: only pages of this server's own origin. A page in a browser
    /// on this machine would else be a program on this machine. Devices send no origin.
    /// </summary>
    public IList<string> AllowedOrigins { get; } = [];

    /// <summary>How long it is remembered, on one connection, that a credential is valid and that something is allowed; 10 seconds by default. A withdrawn right ends within this time.</summary>
    public TimeSpan AccessRemembered { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How many identities are kept count of at a time; 10,000 by default. Beyond it those that have been quiet are forgotten; while none has, new ones are refused (503).</summary>
    public int MaxPrincipals { get; set; } = 10_000;

    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(Security);
        ArgumentOutOfRangeException.ThrowIfLessThan(AccessRemembered, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxPrincipals, 1);
    }
}
