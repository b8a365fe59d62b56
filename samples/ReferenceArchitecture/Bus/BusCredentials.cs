using System.Net.Http.Headers;
using System.Text;

using IoT.Cep;

namespace IoT.Reference.Bus;

/// <summary>Who asks by HTTP for what the engine's own endpoints do not serve: by token, or by id and secret.</summary>
internal static class BusCredentials
{
    public static ValueTask<Identity?> ProveAsync(HttpContext context, ListenerSecurity security)
    {
        var credentials = new ClientCredentials(context.Connection.RemoteIpAddress, context.Request.IsHttps);
        if (!AuthenticationHeaderValue.TryParse(context.Request.Headers.Authorization, out var header) || header.Parameter is not { } shown)
        {
            return new ValueTask<Identity?>((Identity?)null);
        }

        return header.Scheme.ToUpperInvariant() switch
        {
            "BEARER" => security.AuthenticateAsync(credentials with { Token = shown }),
            "BASIC" when Read(shown) is (var user, var secret) => security.AuthenticateAsync(credentials with { UserName = user, Password = secret }),
            _ => new ValueTask<Identity?>((Identity?)null),
        };
    }

    private static (string User, string Secret)? Read(string shown)
    {
        byte[] bytes = new byte[shown.Length];
        if (!Convert.TryFromBase64String(shown, bytes, out int length))
        {
            return null;
        }

        string text = Encoding.UTF8.GetString(bytes, 0, length);
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? null : (text[..colon], text[(colon + 1)..]);
    }
}
