namespace IoT.Cep.Conformance;

/// <summary>Fuzzes from the console, and says what was found.</summary>
internal static class FuzzCommand
{
    private const int MaxFailures = 10;

    internal static int Run(string folder, int count, int seed)
    {
        using var reference = new Reference(Directory.Exists(folder) ? folder : Path.GetDirectoryName(Path.GetFullPath(folder))!);
        var fuzzer = new Fuzzer(reference);
        int failed = 0;
        for (int i = 0; i < count && failed < MaxFailures; i++)
        {
            if (fuzzer.Try(seed + i) is { } difference)
            {
                failed++;
                Console.WriteLine(difference);
            }
        }

        Console.WriteLine(
            $"{fuzzer.Compared - failed} passed, {failed} failed, {fuzzer.Skipped} not compared (seeds {seed} to {seed + fuzzer.Compared + fuzzer.Skipped - 1}; {fuzzer.Matching} with matches)");
        return failed == 0 ? 0 : 1;
    }
}
