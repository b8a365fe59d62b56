using System.Security.Cryptography;
using Microsoft.Net.Http.Headers;

namespace IoT.Reference.ApiGateway.Web;

/// <summary>The developer page's three files, built in; a hash tells a browser whether they changed.</summary>
internal static class Pages
{
    // Nothing inline, nothing from elsewhere; log-in leads to Identity by a link, which needs no permission here.
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'";

    internal static void Map(WebApplication app)
    {
        Map(app, "/developers", "developers.html", "text/html; charset=utf-8");
        Map(app, "/developers/developers.css", "developers.css", "text/css; charset=utf-8");
        Map(app, "/developers/developers.js", "developers.js", "text/javascript; charset=utf-8");
        app.MapGet("/", () => Results.Redirect("/developers"));
    }

    /// <summary>Headers of every answer that is not an instance's own.</summary>
    internal static void Harden(HttpContext context, bool isTls)
    {
        var headers = context.Response.Headers;
        headers.XContentTypeOptions = "nosniff";
        if (context.Request.Path.StartsWithSegments("/developers"))
        {
            headers.ContentSecurityPolicy = Policy;
            headers.XFrameOptions = "DENY";
            headers["Referrer-Policy"] = "no-referrer";
            headers["Cross-Origin-Opener-Policy"] = "same-origin";
            headers["Cross-Origin-Resource-Policy"] = "same-origin";
        }

        if (isTls)
        {
            headers.StrictTransportSecurity = "max-age=31536000";
        }
    }

    private static void Map(WebApplication app, string path, string file, string type)
    {
        using var stream = typeof(Pages).Assembly.GetManifestResourceStream("wwwroot/" + file)!;
        byte[] content = new byte[stream.Length];
        stream.ReadExactly(content);
        var tag = new EntityTagHeaderValue($"\"{Convert.ToHexStringLower(SHA256.HashData(content).AsSpan(0, 8))}\"");
        app.MapGet(path, (HttpContext context) =>
        {
            context.Response.Headers.CacheControl = "no-cache";
            return Results.Bytes(content, type, entityTag: tag);
        });
    }
}
