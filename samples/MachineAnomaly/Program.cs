using System.Globalization;
using MachineAnomaly;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args is ["--help" or "-h"])
{
    Console.WriteLine(Options.Usage);
    return 0;
}

var options = Options.Parse(args, out string? problem);
if (options is null)
{
    Console.Error.WriteLine(problem);
    return 2;
}

foreach (string file in options.DataFiles)
{
    await Evaluation.PrintAsync(file, Labels.Read(options.LabelsFile, Path.GetFileName(file)), options.Threshold);
}

return 0;
