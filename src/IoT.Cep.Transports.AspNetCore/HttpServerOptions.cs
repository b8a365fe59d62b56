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

    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(Security);
    }
}
