using IoT.Cep;

namespace MachineAnomaly;

/// <summary>Runs the query over one recording and compares what it finds with the labels, which the query does not know.</summary>
internal static class Evaluation
{
    internal static async Task PrintAsync(string file, IReadOnlyList<Label> labels, double threshold)
    {
        var source = Lines.FromFile(file, Csv.Decode((ref row) => new Reading(row.Time(0), row.Number(1))), new LineOptions(SkipLines: 1));
        var found = new List<Anomaly>();
        var (first, last, readings) = (DateTimeOffset.MaxValue, DateTimeOffset.MinValue, 0);
        await using var engine = new CepEngine(cep =>
        {
            // The recording of the machine steps back by 55 minutes once: that is the disorder.
            var recorded = cep.From(source).WithEventTime(r => r.Time, maxDisorder: TimeSpan.FromHours(1));
            Queries.Anomalies(recorded, threshold).Subscribe(found.Add);
            recorded.Subscribe(r =>
            {
                first = r.Time < first ? r.Time : first;
                last = r.Time > last ? r.Time : last;
                readings++;
            });
        });
        await engine.RunAsync();

        double weeks = (last - first).TotalDays / 7;
        Console.WriteLine(
            $"{Path.GetFileName(file)}: {readings:N0} readings, {first:yyyy-MM-dd} to {last:yyyy-MM-dd} ({weeks:F1} weeks); threshold {threshold} standard deviations");
        Print(found, labels, weeks);
    }

    private static void Print(List<Anomaly> found, IReadOnlyList<Label> labels, double weeks)
    {
        var hit = new HashSet<Label>();
        int falseAlarms = 0;
        foreach (var anomaly in found)
        {
            var label = labels.FirstOrDefault(l => anomaly.Start >= l.Start && anomaly.Start <= l.End);
            if (label is null)
            {
                falseAlarms++;
            }
            else
            {
                hit.Add(label);
            }

            string verdict = label is null ? "false alarm" : $"in the labelled window from {label.Start:MM-dd HH:mm} to {label.End:MM-dd HH:mm}";
            Console.WriteLine(
                $"  {anomaly.Start:yyyy-MM-dd HH:mm} to {anomaly.End:yyyy-MM-dd HH:mm}  six hours at {anomaly.Worst.Celsius,5:F1} degrees, {anomaly.Worst.Deviations,5:F1} deviations  {verdict}");
        }

        foreach (var missed in labels.Except(hit))
        {
            Console.WriteLine($"  missed: the labelled window from {missed.Start:yyyy-MM-dd HH:mm} to {missed.End:yyyy-MM-dd HH:mm}");
        }

        Console.WriteLine($"hit {hit.Count} of {labels.Count} labelled windows, {falseAlarms} false alarms ({falseAlarms / weeks:F2} a week)");
    }
}
