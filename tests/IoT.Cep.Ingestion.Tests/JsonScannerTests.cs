using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace IoT.Cep.Ingestion.Tests;

public sealed class JsonScannerTests
{
    private static readonly string[] _seeds =
    [
        """{"time":"2026-01-01T00:00:00.123Z","sensor":"sensor-0042","temperature":21.53,"humidity":40.1}""",
        """ [ {"a" : [1, -2.5e+3, {"b":null}], "ü":"\u00fc\n\\", "c":{}} , [] , true, false , "𝄞" ] """,
        """{"a":{"b":{"c":[[[{"d":[]}]]]}},"e":"long text that is longer than sixteen bytes, with \"quotes\" in it"}""",
    ];

    private const string Alphabet = "{}[]\",:\\ \t\n0123456789.eE+-truefalsn\u0001uü";

    [Fact]
    public void The_scanner_accepts_what_the_frameworks_reader_accepts_and_nothing_else()
    {
        var random = new Random(20260101);
        byte[] alphabet = Encoding.UTF8.GetBytes(Alphabet);
        for (int run = 0; run < 200_000; run++)
        {
            byte[] text = Encoding.UTF8.GetBytes(_seeds[run % _seeds.Length]);
            int changes = random.Next(4);
            for (int i = 0; i < changes; i++)
            {
                text[random.Next(text.Length)] = random.Next(20) == 0 ? (byte)random.Next(256) : alphabet[random.Next(alphabet.Length)];
            }

            text = random.Next(3) == 0 ? text[..random.Next(text.Length)] : text;
            bool expected = Accepts(text) && Utf8.IsValid(text);
            Assert.True(expected == Scans(text), $"run {run}: {Convert.ToBase64String(text)} {Encoding.UTF8.GetString(text)}");
        }
    }

    [Fact]
    public void Depth_counts_open_containers()
    {
        for (int depth = 1; depth <= 64; depth++)
        {
            byte[] text = Encoding.UTF8.GetBytes(new string('[', depth) + new string(']', depth));
            for (int limit = 1; limit <= 64; limit++)
            {
                var json = new JsonScanner(text, limit);
                Assert.Equal(depth <= limit, json.TrySkipValue());
            }
        }
    }

    private static bool Scans(byte[] text)
    {
        var json = new JsonScanner(text, 64);
        return json.TrySkipValue() && json.TryEnd();
    }

    private static bool Accepts(byte[] text)
    {
        try
        {
            var reader = new Utf8JsonReader(text);
            while (reader.Read())
            {
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
