using System.Text.Json;
using Yarp.ReverseProxy.Configuration;

namespace IoT.Reference.ApiGateway.Catalog;

/// <summary>
/// The catalogue's file: looked at in intervals rather than watched, since that works on every file system and misses nothing. A file that can't be used changes nothing: the catalogue of before goes on.
/// </summary>
internal sealed class CatalogFile : IDisposable
{
    private const int MaxBytes = 1024 * 1024;

    private readonly ApiGatewayOptions _options;
    private readonly InMemoryConfigProvider _proxy;
    private readonly ILogger<CatalogFile> _logger;
    private readonly Lock _gate = new();
    private readonly string _path;
    private byte[] _content;
    private ITimer? _timer;

    public CatalogFile(ApiGatewayOptions options, InMemoryConfigProvider proxy, ILogger<CatalogFile> logger)
    {
        (_options, _proxy, _logger) = (options, proxy, logger);
        _path = options.CatalogFile ?? Path.Combine(options.DataFolder, "apis.json");
        if (options.CatalogFile is null && !File.Exists(_path))
        {
            File.WriteAllBytes(_path, First(options.Backends));
        }

        _content = Read();
        try
        {
            Current = Take(_content);
        }
        catch (FormatException e)
        {
            throw new InvalidOperationException($"{_path}: {e.Message}", e);
        }
    }

    /// <summary>What is on offer now.</summary>
    internal ApiCatalog Current { get; private set; }

    /// <summary>Why the file as it is now can't be used; null: it is used.</summary>
    internal string? Problem { get; private set; }

    public void Dispose() => _timer?.Dispose();

    internal void Watch() => _timer = _options.TimeProvider.CreateTimer(_ => Look(), null, _options.CatalogInterval, _options.CatalogInterval);

    private void Look()
    {
        lock (_gate)
        {
            try
            {
                byte[] content = Read();
                if (content.AsSpan().SequenceEqual(_content))
                {
                    return;
                }

                // Also a content that is refused is remembered: it is told of once.
                _content = content;
                Current = Take(content);
                Problem = null;
                CatalogLog.Taken(_logger, Current.Apis.Count);
            }
            catch (Exception e) when (e is FormatException or IOException or UnauthorizedAccessException)
            {
                Problem = e.Message;
                CatalogLog.Refused(_logger, e.Message);
            }
        }
    }

    private ApiCatalog Take(byte[] content)
    {
        var catalog = ApiCatalog.Parse(content);
        _proxy.Update(ProxyRoutes.Routes(catalog), ProxyRoutes.Clusters(catalog, _options));
        return catalog;
    }

    private byte[] Read() => new FileInfo(_path).Length <= MaxBytes ? File.ReadAllBytes(_path) : throw new IOException($"{_path} is larger than 1 MB.");

    private static byte[] First(IReadOnlyList<Uri> backends)
    {
        using var stream = typeof(CatalogFile).Assembly.GetManifestResourceStream("apis.json")!;
        byte[] content = new byte[stream.Length];
        stream.ReadExactly(content);
        var catalog = ApiCatalog.Parse(content);
        var api = catalog.Apis[0];
        return JsonSerializer.SerializeToUtf8Bytes(
            catalog with { Apis = [api with { Versions = [api.Versions[0] with { Backends = backends }] }] }, CatalogJson.Default.ApiCatalog);
    }
}

internal static partial class CatalogLog
{
    [LoggerMessage(1, LogLevel.Information, "The catalogue was read again: {Count} APIs")]
    internal static partial void Taken(ILogger logger, int count);

    [LoggerMessage(2, LogLevel.Error, "The catalogue's file can't be used, and the one of before goes on: {Reason}")]
    internal static partial void Refused(ILogger logger, string reason);
}
