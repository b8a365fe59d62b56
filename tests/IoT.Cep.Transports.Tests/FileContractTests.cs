using IoT.Cep.Extensibility;
using IoT.Cep.Testing;

namespace IoT.Cep;

public sealed class FileContractTests
{
    public static TheoryData<string> TransportRules => [.. TransportContract.Rules];

    public static TheoryData<string> SinkRules => [.. SinkContract.Rules];

    [Theory]
    [MemberData(nameof(TransportRules))]
    public Task A_followed_file_keeps_the_rule(string rule) => TransportContract.CheckAsync(rule, () => new TailFixture(keepsPosition: true));

    [Theory]
    [MemberData(nameof(TransportRules))]
    public Task A_followed_file_without_a_position_keeps_the_rule(string rule) => TransportContract.CheckAsync(rule, () => new TailFixture(keepsPosition: false));

    [Theory]
    [MemberData(nameof(TransportRules))]
    public Task Datagrams_keep_the_rule(string rule) => TransportContract.CheckAsync(rule, () => new DatagramsFixture());

    [Theory]
    [MemberData(nameof(SinkRules))]
    public Task A_written_file_keeps_the_rule(string rule) => SinkContract.CheckAsync(rule, () => new WriteFixture());

    private sealed class TailFixture(bool keepsPosition) : TransportFixture
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("tail");

        public override bool CarriesTopics => false;

        public override bool CarriesAnyBytes => false;

        public override bool Acknowledges => keepsPosition;

        public override bool HoldsSenderUp => false;

        public override ValueTask<ITransport> StartAsync(CancellationToken stop) => new(new TailTransport(
            File, new TailOptions { PollInterval = TimeSpan.FromMilliseconds(5), PositionFile = keepsPosition ? File + ".position" : null }));

        public override async ValueTask SendAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken stop)
        {
            if (payload.Span.ContainsAny((byte)'\n', (byte)'\r'))
            {
                throw new ArgumentException("A line has no line ends.");
            }

            await System.IO.File.AppendAllBytesAsync(File, (byte[])[.. payload.Span, (byte)'\n'], stop);
        }

        public override ValueTask DisposeAsync()
        {
            _folder.Delete(recursive: true);
            return ValueTask.CompletedTask;
        }

        private string File => Path.Combine(_folder.FullName, "lines.log");
    }

    private sealed class DatagramsFixture : TransportFixture
    {
        private readonly TaskCompletionSource<System.Net.IPEndPoint> _listening = new();
        private readonly System.Net.Sockets.UdpClient _device = new();

        public override bool CarriesTopics => false;

        public override bool HoldsSenderUp => false;

        public override int MaxPayloadBytes => 60_000;

        public override ValueTask<ITransport> StartAsync(CancellationToken stop) => new(Udp.Transport(0, new UdpListenOptions { Listening = _listening.SetResult }));

        public override async ValueTask SendAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken stop) =>
            await _device.SendAsync(payload, await _listening.Task.WaitAsync(stop), stop);

        public override ValueTask DisposeAsync()
        {
            _device.Dispose();
            return ValueTask.CompletedTask;
        }
    }

    private sealed class WriteFixture : SinkFixture<string>
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("write");

        public override bool IsExact => true;

        public override bool HasBadRow => true;

        public override ValueTask<IAsyncSink<string>> StartAsync(CancellationToken stop) => new((IAsyncSink<string>)Files.Write<string>(
            Path.Combine(_folder.FullName, "rows.log"), row => row, new FileSinkOptions { MaxFileBytes = 100, MaxFiles = 100 }));

        public override string Row(int i) => $"{i}";

        public override string BadRow() => "two\nlines";

        public override async ValueTask<IReadOnlyList<int>> WrittenAsync(int count, CancellationToken stop)
        {
            var rows = new List<int>();
            foreach (var file in _folder.GetFiles().OrderByDescending(f => f.Extension is ".log" ? 0 : int.Parse(f.Extension[1..], null)))
            {
                rows.AddRange((await File.ReadAllLinesAsync(file.FullName, stop)).Select(line => int.Parse(line, null)));
            }

            return rows;
        }

        public override ValueTask DisposeAsync()
        {
            _folder.Delete(recursive: true);
            return ValueTask.CompletedTask;
        }
    }
}
