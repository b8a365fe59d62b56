using System.Diagnostics;
using System.Text.Json.Nodes;

namespace IoT.Cep.Conformance;

/// <summary>The reference matcher of a folder of cases, in one long-lived process.</summary>
internal sealed class Reference : IDisposable
{
    private readonly Process _process;

    internal Reference(string folder)
    {
        string driver = Path.Combine(AppContext.BaseDirectory, "Fuzzing", "reference_driver.py");
        _process = Process.Start(new ProcessStartInfo("python3", [driver, Path.GetFullPath(folder)]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
    }

    /// <summary>What the reference gives; null where it can't say.</summary>
    internal CaseResult? Run(Case one)
    {
        _process.StandardInput.WriteLine(one.Json.ToJsonString());
        _process.StandardInput.Flush();
        string line = _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("The reference has stopped.");
        var answer = JsonNode.Parse(line)!;
        if (answer["skipped"] is not null)
        {
            return null;
        }

        return answer["error"] is { } error
            ? new CaseResult([], null, 0, (string)error!)
            : new CaseResult(
                [.. answer["matches"]!.AsArray().Select(match => MatchOf(match!))],
                [.. answer["timeouts"]!.AsArray().Select(timeout => new FoundTimeout(Case.IdsOf(timeout!["ids"]!), (long)timeout["ts"]!))],
                (int)answer["live"]!,
                null);
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }

    private static FoundMatch MatchOf(JsonNode match) => new(
        Case.IdsOf(match["ids"]!), FoundMatch.TextOf(match["bindings"]!.AsObject().Select(one => (one.Key, Case.IdsOf(one.Value!)))));
}
