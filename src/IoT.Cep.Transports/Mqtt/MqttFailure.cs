using System.Net.Sockets;
using System.Security.Authentication;
using IoT.Cep.Extensibility;
using MQTTnet.Adapter;
using MQTTnet.Exceptions;

namespace IoT.Cep;

/// <summary>A broker refused something; tried again later, because a broker's mind can be changed without restarting this process.</summary>
/// <param name="message">What it refused and why.</param>
internal sealed class MqttRefusedException(string message) : Exception(message);

/// <summary>Tells failures of a connection from failures of code.</summary>
internal static class MqttFailure
{
    /// <summary>Whether connecting again may help.</summary>
    /// <param name="error">The error.</param>
    internal static bool IsTransient(Exception error) => error is MqttRefusedException or MqttCommunicationException
        or MqttProtocolViolationException or MqttClientNotConnectedException or MqttClientDisconnectedException
        or MqttClientUnexpectedDisconnectReceivedException or MqttConnectingFailedException or SocketException or IOException
        or AuthenticationException or OperationCanceledException or TimeoutException or ObjectDisposedException;

    /// <summary>An error as a line for people: the innermost cause, safe to show.</summary>
    /// <param name="error">The error.</param>
    internal static string Describe(Exception error)
    {
        var cause = error;
        while (cause.InnerException is { } inner)
        {
            cause = inner;
        }

        return cause is OperationCanceledException ? "it took too long" : SafeText.Escape(cause.Message);
    }
}
