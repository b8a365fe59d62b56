using System.IO.Compression;
using System.Reflection;
using System.Security.Cryptography;
using Microsoft.Net.Http.Headers;

namespace IoT.Reference.Portal.Web;

/// <summary>The files of the pages: built in, compressed once, told apart by a hash so that a browser asks again only whether they changed.</summary>
internal sealed class Pages
{
    private const string Prefix = "wwwroot/";

    private readonly Dictionary<string, Page> _pages = new(StringComparer.Ordinal);
    private readonly string? _folder;

    public Pages(PortalOptions options)
    {
        _folder = options.PagesFolder;
        var assembly = Assembly.GetExecutingAssembly();
        foreach (string name in assembly.GetManifestResourceNames().Where(static n => n.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            using var stream = assembly.GetManifestResourceStream(name)!;
            byte[] content = new byte[stream.Length];
            stream.ReadExactly(content);
            _pages["/" + name[Prefix.Length..].Replace('\\', '/')] = Page.Of(name, content);
        }
    }

    /// <summary>Answers requests for files; lets the others through.</summary>
    internal Task ServeAsync(HttpContext context, RequestDelegate next)
    {
        string path = context.Request.Path.Value ?? "";
        return (HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method)) && !path.EndsWith(".html", StringComparison.Ordinal) && Find(path) is { } page
            ? WriteAsync(context, page, StatusCodes.Status200OK)
            : next(context);
    }

    /// <summary>Answers with a page.</summary>
    internal Task WriteAsync(HttpContext context, string path, int status = StatusCodes.Status200OK) => WriteAsync(context, Find(path)!, status);

    private static async Task WriteAsync(HttpContext context, Page page, int status)
    {
        var headers = context.Response.GetTypedHeaders();
        headers.ETag = page.Tag;
        headers.CacheControl = new CacheControlHeaderValue { NoCache = true };
        context.Response.Headers.Vary = "Accept-Encoding";
        if (status == StatusCodes.Status200OK && context.Request.GetTypedHeaders().IfNoneMatch.Any(t => t.Compare(page.Tag, useStrongComparison: false)))
        {
            context.Response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        bool isShort = page.Brotli.Length < page.Content.Length && context.Request.Headers.AcceptEncoding.ToString().Contains("br", StringComparison.Ordinal);
        byte[] content = isShort ? page.Brotli : page.Content;
        if (isShort)
        {
            context.Response.Headers.ContentEncoding = "br";
        }

        context.Response.StatusCode = status;
        context.Response.ContentType = page.Type;
        context.Response.ContentLength = content.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.Body.WriteAsync(content, context.RequestAborted);
        }
    }

    private Page? Find(string path)
    {
        // Only what is built in: a path of the request never becomes one of the file system by itself.
        var page = _pages.GetValueOrDefault(path);
        return page is not null && _folder is not null ? Page.Of(path, File.ReadAllBytes(Path.Combine(_folder, path[1..]))) : page;
    }

    private sealed record Page(string Type, byte[] Content, byte[] Brotli, EntityTagHeaderValue Tag)
    {
        internal static Page Of(string name, byte[] content)
        {
            var compressed = new MemoryStream();
            using (var brotli = new BrotliStream(compressed, CompressionLevel.Optimal))
            {
                brotli.Write(content);
            }

            string tag = Convert.ToHexStringLower(SHA256.HashData(content).AsSpan(0, 8));
            return new Page(TypeOf(name), content, compressed.ToArray(), new EntityTagHeaderValue($"\"{tag}\""));
        }

        private static string TypeOf(string name) => Path.GetExtension(name) switch
        {
            ".html" => "text/html; charset=utf-8",
            ".css" => "text/css; charset=utf-8",
            ".js" => "text/javascript; charset=utf-8",
            ".svg" => "image/svg+xml",
            ".webmanifest" => "application/manifest+json",
            _ => "text/plain; charset=utf-8",
        };
    }
}
