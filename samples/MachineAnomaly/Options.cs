using System.Globalization;

namespace MachineAnomaly;

/// <summary>What the program is told.</summary>
internal sealed record Options(IReadOnlyList<string> DataFiles, string LabelsFile, double Threshold)
{
    internal const string Usage = """
        Finds anomalies in recorded temperatures and compares them with labels.

          dotnet run --project samples/MachineAnomaly [-- --data FILE ...] [--labels FILE] [--threshold N]

          --data FILE      lines "timestamp,value" behind a header; may be said several times. Default: machine-temperature.csv and, where it is there,
                           ambient-temperature.csv, in the folder data/machine of IOT_CEP_SHARED
          --labels FILE    {"file name": [["start", "end"], ...]}; default: anomaly-windows.json beside the first data
          --threshold N    standard deviations from which a level is an anomaly; default: 3
        """;

    internal static Options? Parse(string[] args, out string? problem)
    {
        string shared = Environment.GetEnvironmentVariable("IOT_CEP_SHARED") is { Length: > 0 } folder ? folder : Path.Combine("..", "shared");
        string folderOfAll = Path.Combine(shared, "data", "machine");
        var data = new List<string>();
        string? labels = null;
        double threshold = 3;
        for (int i = 0; i < args.Length; i++)
        {
            string? value = i + 1 < args.Length ? args[i + 1] : null;
            switch (args[i])
            {
                case "--data" when value is not null:
                    data.Add(value);
                    break;
                case "--labels" when value is not null:
                    labels = value;
                    break;
                case "--threshold" when double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out threshold) && threshold > 0:
                    break;
                default:
                    problem = args[i] is "--data" or "--labels" or "--threshold"
                        ? $"'{args[i]} {value}' is not understood.\n\n{Usage}" : $"'{args[i]}' is not an option.\n\n{Usage}";
                    return null;
            }

            i++;
        }

        if (data.Count == 0)
        {
            string second = Path.Combine(folderOfAll, "ambient-temperature.csv");
            data.AddRange([Path.Combine(folderOfAll, "machine-temperature.csv"), .. File.Exists(second) ? (string[])[second] : []]);
        }

        labels ??= Path.Combine(Path.GetDirectoryName(data[0]) ?? "", "anomaly-windows.json");
        string? missing = Array.Find([.. data, labels], file => !File.Exists(file));
        problem = missing is null ? null : $"There is no file {missing}.\n\n{Usage}";
        return missing is null ? new Options(data, labels, threshold) : null;
    }
}
