using System.Collections.Frozen;

namespace IoT.Cep;

/// <summary>How a client proved who it is.</summary>
public enum AuthenticationMethod
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>By a user's name and password.</summary>
    Password,

    /// <summary>By a bearer token.</summary>
    Token,

    /// <summary>By a certificate, in TLS or DTLS.</summary>
    Certificate,

    /// <summary>By a key that both sides had before, in DTLS.</summary>
    PreSharedKey,
}

/// <summary>Who a client of a listener is: a device, a gateway, an application. Immutable.</summary>
public sealed class Identity
{
    /// <summary>An identity that was proved.</summary>
    /// <param name="name">Its name: the device's, the user's, the token's subject.</param>
    /// <param name="method">How it was proved.</param>
    /// <param name="speaksFor">The devices, beside itself, whose data it may send and whose commands it may take: those behind a gateway. <c>*</c> is all of them.</param>
    /// <param name="claims">What else is known of it: <c>scope</c>, <c>aud</c>.</param>
    /// <param name="expires">When the proof ends; a listener ends the connection then. Null: never.</param>
    public Identity(
        string name,
        AuthenticationMethod method,
        IEnumerable<string>? speaksFor = null,
        IEnumerable<KeyValuePair<string, string>>? claims = null,
        DateTimeOffset? expires = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        Name = name;
        Method = method;
        SpeaksFor = (speaksFor ?? []).Append(name).ToFrozenSet(StringComparer.Ordinal);
        Claims = (claims ?? []).ToFrozenDictionary(StringComparer.Ordinal);
        Expires = expires;
    }

    /// <summary>Who did not say who they are; allowed on loopback only, unless a listener's options say otherwise.</summary>
    public static Identity Anonymous { get; } = new("anonymous", AuthenticationMethod.None, ["*"]);

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>How it was proved.</summary>
    public AuthenticationMethod Method { get; }

    /// <summary>The devices whose data it may send and whose commands it may take, itself among them.</summary>
    public IReadOnlySet<string> SpeaksFor { get; }

    /// <summary>What else is known of it.</summary>
    public IReadOnlyDictionary<string, string> Claims { get; }

    /// <summary>When the proof ends; null: never.</summary>
    public DateTimeOffset? Expires { get; }

    /// <summary>Whether it may send a device's data and take its commands. Allocates nothing.</summary>
    /// <param name="device">The device's name.</param>
    public bool MaySpeakFor(ReadOnlySpan<char> device) =>
        ((FrozenSet<string>)SpeaksFor).Contains("*") || ((FrozenSet<string>)SpeaksFor).GetAlternateLookup<ReadOnlySpan<char>>().Contains(device);

    /// <inheritdoc/>
    public override string ToString() => $"{Extensibility.SafeText.Escape(Name, 64)} ({Method})";
}
