using System.Diagnostics;
using System.Text;

namespace IoT.Cep;

/// <summary>Clients that we did not write.</summary>
public sealed class HttpForeignTests
{
    [CurlFact]
    [Trait("Requirement", "R53")]
    public async Task Curl_posts_a_message_lines_from_a_pipe_and_a_compressed_form()
    {
        await using var site = await Site.StartAsync();
        string url = new Uri(site.Address, "/t/a").ToString();

        Assert.Equal("204", await CurlAsync(null, "-d", """{"sensor":"a","v":1}""", "-H", "Content-Type: application/json", url));
        Assert.Equal("204", await CurlAsync(null, "-d", "", url + "?v=2"));
        Assert.Equal("204", await CurlAsync(null, "--http1.0", "-d", "v=3", url));
        Assert.Equal("200", await CurlAsync("{\"sensor\":\"a\",\"v\":4}\n{\"sensor\":\"a\",\"v\":5}\n", "-T", "-", "-X", "POST", "-H", "Content-Type: application/x-ndjson", url));
        Assert.Equal("400", await CurlAsync(null, "-d", "nonsense", "-H", "Content-Type: application/json", url));

        for (int v = 1; v <= 5; v++)
        {
            Assert.Equal(new Sample("a", v), await site.NextAsync());
        }
    }

    [CurlFact]
    public async Task Curl_waits_for_a_result_that_is_published()
    {
        await using var site = await Site.StartAsync(more: (_, samples, http) =>
            samples.To(http.Publish<Sample>("/out", (s, output) => Encoding.UTF8.GetBytes($"v={s.V}", output))));
        using var curl = Start("curl", null, "-sN", "--max-time", "20", new Uri(site.Address, "/out").ToString());
        while (site.Http.Statistics.Clients == 0)
        {
            await Task.Yield();
        }

        await site.PostAsync("/t/a", """{"sensor":"a","v":7}""").StatusAsync();

        string? line;
        do
        {
            line = await curl.StandardOutput.ReadLineAsync().WaitAsync(Collector.Patience);
        }
        while (line is not null && !line.StartsWith("data: ", StringComparison.Ordinal));

        Assert.Equal("data: v=7", line);
        curl.Kill();
    }

    [NodeFact]
    public async Task A_websocket_of_node_sends_and_listens()
    {
        await using var site = await Site.StartAsync(more: (_, samples, http) =>
            samples.To(http.Publish<Sample>("/out", (s, output) => Encoding.UTF8.GetBytes($"v={s.V}", output))));
        string host = $"ws://127.0.0.1:{site.Address.Port}";
        using var node = Start("node", $$"""
            const out = new WebSocket("{{host}}/out");
            out.onmessage = e => { console.log("got " + e.data); out.close(); };
            out.onopen = () => {
              const device = new WebSocket("{{host}}/t/a?ack=true");
              device.onopen = () => device.send(JSON.stringify({ sensor: "a", v: 7 }));
              device.onmessage = e => { console.log("told " + e.data); device.close(); };
            };
            """, "--experimental-websocket", "--no-warnings", "-");

        string all = await node.StandardOutput.ReadToEndAsync().WaitAsync(Collector.Patience);

        Assert.Contains("got v=7", all, StringComparison.Ordinal);
        Assert.Contains("told {\"acknowledged\":1}", all, StringComparison.Ordinal);
    }

    private static async Task<string> CurlAsync(string? input, params string[] arguments)
    {
        using var curl = Start("curl", input, ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "20", .. arguments]);
        return await curl.StandardOutput.ReadToEndAsync().WaitAsync(Collector.Patience);
    }

    private static Process Start(string program, string? input, params string[] arguments)
    {
        var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardInput = true })!;
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        return process;
    }
}
