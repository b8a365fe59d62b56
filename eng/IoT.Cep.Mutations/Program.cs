using System.Diagnostics;
using IoT.Cep.Mutations;

// Applies one deliberate fault after the other to a copy of the sources and runs the tests: each has to be caught. With names as arguments, only
// those faults whose name contains one of them.
//   dotnet run -c Release --project eng/IoT.Cep.Mutations [-- NAME...]
// With --list it only looks whether the list of faults follows the code.
var root = new DirectoryInfo(AppContext.BaseDirectory);
while (!File.Exists(Path.Combine(root.FullName, "IoT.Cep.sln")))
{
    root = root.Parent ?? throw new InvalidOperationException("Run it inside the repository: no IoT.Cep.sln was found above the program.");
}

bool isListOnly = args is ["--list"];
var faults = Faults.All.Where(f => args.Length == 0 || isListOnly || args.Any(a => f.Name.Contains(a, StringComparison.OrdinalIgnoreCase))).ToList();
// A list that does not follow the code is told of at once and as a whole, not after an hour.
var stale = faults.Where(fault => !fault.Fits(File.ReadAllText(Path.Combine(root.FullName, fault.File)))).ToList();
if (stale.Count > 0)
{
    Console.WriteLine(string.Join('\n', stale.Select(fault => $"'{fault.Name}' does not follow the code: {fault.File} has to contain exactly once: {fault.Find}")));
    return 2;
}

if (isListOnly)
{
    Console.WriteLine($"{faults.Count} faults follow the code.");
    return 0;
}

using var copy = SourceCopy.Of(root.FullName);
if (copy.RunTests() is not Outcome.Passed)
{
    Console.WriteLine("The tests fail without any fault: mend them first.");
    return 2;
}

int survived = 0;
foreach (var fault in faults)
{
    long began = Stopwatch.GetTimestamp();
    string file = Path.Combine(copy.Folder, fault.File);
    string original = File.ReadAllText(file);
    Outcome outcome;
    try
    {
        File.WriteAllText(file, fault.ApplyTo(original));
        outcome = copy.RunTests();
        for (int again = 0; outcome == Outcome.Passed && again < 2; again++)
        {
            // Properties begin with another seed each time: a fault that only they see may pass one run.
            outcome = copy.RunTests();
        }
    }
    finally
    {
        File.WriteAllText(file, original);
    }

    survived += outcome == Outcome.Failed ? 0 : 1;
    Console.WriteLine($"{outcome switch { Outcome.Failed => "caught", Outcome.Passed => "SURVIVED", _ => "DOES NOT COMPILE" },-16} {fault.Name} ({Stopwatch.GetElapsedTime(began).TotalSeconds:F0} s)");
}

Console.WriteLine($"{faults.Count - survived} of {faults.Count} faults caught");
return survived == 0 ? 0 : 1;
