using System.IO.Compression;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace IoT.Cep;

/// <summary>A request that can't be taken, with the status that says why.</summary>
/// <param name="status">The status.</param>
/// <param name="message">Why: no text of the sender's.</param>
internal sealed class HttpRefusedException(int status, string message) : Exception(message)
{
    internal int Status => status;
}

/// <summary>Opens a request's body: as it is, or decompressed within bounds.</summary>
internal static class BodyReader
{
    /// <summary>What a body may grow to before its ratio counts: a short text of one letter may well shrink a hundredfold.</summary>
    private const int FreeBytes = 4096;

    /// <summary>Opens the body.</summary>
    /// <param name="context">The request.</param>
    /// <param name="maxBytes">The longest body, compressed and decompressed.</param>
    /// <param name="maxRatio">How many times longer than what was sent it may be.</param>
    /// <exception cref="HttpRefusedException">It is too long by its own account, or compressed in a way that is not known.</exception>
    internal static PipeReader Open(HttpContext context, long maxBytes, int maxRatio)
    {
        if (context.Request.ContentLength > maxBytes)
        {
            throw TooLarge(maxBytes);
        }

        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            // The host's own limit is for pages; this one is the endpoint's. A byte more tells that there is more.
            limit.MaxRequestBodySize = maxBytes + 1;
        }

        string? encoding = context.Request.Headers.ContentEncoding;
        if (string.IsNullOrEmpty(encoding) || encoding.Equals("identity", StringComparison.OrdinalIgnoreCase))
        {
            return context.Request.BodyReader;
        }

        var compressed = new CountingStream(context.Request.Body);
        Stream plain = encoding.ToUpperInvariant() switch
        {
            "GZIP" or "X-GZIP" => new GZipStream(compressed, CompressionMode.Decompress),
            "BR" => new BrotliStream(compressed, CompressionMode.Decompress),
            "DEFLATE" => new ZLibStream(compressed, CompressionMode.Decompress),
            _ => throw new HttpRefusedException(StatusCodes.Status415UnsupportedMediaType, "Content-Encoding must be gzip, br or deflate."),
        };
        return PipeReader.Create(new BoundedStream(plain, compressed, maxBytes, maxRatio), new StreamPipeReaderOptions(bufferSize: 16 * 1024));
    }

    internal static HttpRefusedException TooLarge(long maxBytes) => new(StatusCodes.Status413PayloadTooLarge, $"The body is longer than the limit of {maxBytes} bytes.");

    /// <summary>Counts what was read.</summary>
    private sealed class CountingStream(Stream inner) : ReadOnlyStream
    {
        internal long Count { get; private set; }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int read = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            Count += read;
            return read;
        }
    }

    /// <summary>Ends with an error where more comes out than may: before it is kept, and however little went in.</summary>
    private sealed class BoundedStream(Stream plain, CountingStream compressed, long maxBytes, int maxRatio) : ReadOnlyStream
    {
        private long _count;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int read;
            try
            {
                read = await plain.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception error) when (error is InvalidDataException or InvalidOperationException)
            {
                throw new HttpRefusedException(StatusCodes.Status400BadRequest, "The body is not compressed as Content-Encoding says.");
            }

            _count += read;
            if (_count > maxBytes)
            {
                throw TooLarge(maxBytes);
            }

            return _count <= FreeBytes || _count <= compressed.Count * maxRatio ? read
                : throw new HttpRefusedException(StatusCodes.Status413PayloadTooLarge, $"The body is more than {maxRatio} times longer than what was sent.");
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                plain.Dispose();
            }

            base.Dispose(disposing);
        }
    }

    private abstract class ReadOnlyStream : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Read asynchronously.");

        public abstract override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default);

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
