namespace IoT.Cep.Conformance;

/// <summary>Runs cases, or compares random ones with the reference.</summary>
internal static class Program
{
    private const string Help = """
        Runs pattern-matching cases, and random ones against a reference.

          --cases FILE [--dialect NAME]            runs the cases of a file, of all dialects or of one (runs, rows)
          fuzz --cases FOLDER --count N [--seed S] compares random cases with FOLDER/reference.py, which python3 runs

        Prints what failed, and how many passed and failed. The exit code is 1 where something failed.
        """;

    internal static int Main(string[] arguments)
    {
        if (arguments is [] || arguments.Contains("--help"))
        {
            Console.WriteLine(Help);
            return 0;
        }

        string? cases = Option(arguments, "--cases");
        if (cases is null)
        {
            Console.Error.WriteLine("--cases is missing (see --help).");
            return 2;
        }

        return arguments[0] == "fuzz" ? FuzzCommand.Run(cases, Number(arguments, "--count", 10_000), Number(arguments, "--seed", 1)) : RunCases(cases, Option(arguments, "--dialect"));
    }

    private static int RunCases(string file, string? dialect)
    {
        int passed = 0, failed = 0, unmapped = 0;
        foreach (var one in Case.Read(file))
        {
            if (dialect is not null && one.Dialect != dialect)
            {
                continue;
            }

            if (Dialects.Run(one, Way.Straight) is not { } result)
            {
                unmapped++;
            }
            else if (Verdict.Of(one, result) is { Count: > 0 } complaints)
            {
                failed++;
                Console.WriteLine($"{one.Id}\n    {string.Join("\n    ", complaints)}");
            }
            else
            {
                passed++;
            }
        }

        Console.WriteLine($"{passed} passed, {failed} failed{(unmapped == 0 ? "" : $", {unmapped} not mapped yet")}");
        return failed == 0 ? 0 : 1;
    }

    private static string? Option(string[] arguments, string name)
    {
        int at = Array.IndexOf(arguments, name);
        return at >= 0 && at + 1 < arguments.Length ? arguments[at + 1] : null;
    }

    private static int Number(string[] arguments, string name, int otherwise) =>
        Option(arguments, name) is { } text ? int.Parse(text, System.Globalization.CultureInfo.InvariantCulture) : otherwise;
}
