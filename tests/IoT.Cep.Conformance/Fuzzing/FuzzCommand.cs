namespace IoT.Cep.Conformance;

/// <summary>Fuzzes from the console, and says what was found.</summary>
internal static class FuzzCommand
{
    private const int MaxFailures = 10;

    internal static int Run(string folder, string? dialect, int count, int seed)
    {
        using var reference = new Reference(Directory.Exists(folder) ? folder : Path.GetDirectoryName(Path.GetFullPath(folder))!);
        int failed = 0;
        foreach (var one in Dialects.All.Where(one => dialect is null || one.Name == dialect))
        {
            failed += Run(new Fuzzer(reference, one), one.Name, count, seed);
        }

        return failed == 0 ? 0 : 1;
    }

    private static int Run(Fuzzer fuzzer, string dialect, int count, int seed)
    {
        int failed = 0;
        for (int i = 0; i < count && failed < MaxFailures; i++)
        {
            if (fuzzer.Try(seed + i) is { } difference)
            {
                failed++;
                Console.WriteLine(difference);
            }
        }

        string seeds = $"seeds {seed} to {seed + fuzzer.Compared + fuzzer.Skipped - 1}";
        Console.WriteLine($"{dialect}: {fuzzer.Compared - failed} passed, {failed} failed, {fuzzer.Skipped} not compared ({seeds}; {fuzzer.Matching} with matches)");
        return failed;
    }
}
