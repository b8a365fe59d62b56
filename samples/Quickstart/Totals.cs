using System.Text.Json;
using IoT.Cep;

namespace Quickstart;

/// <summary>The totals of a run, out of the publisher's and the engine's counters.</summary>
/// <param name="Published">Readings that the broker took from the publisher; one that was sent again after a lost connection can be two.</param>
/// <param name="Received">Deliveries, redeliveries included.</param>
/// <param name="Stored">Readings in the database, late ones included.</param>
/// <param name="DeadLetters">Readings that could not be decoded, timed or stored.</param>
/// <param name="Summaries">Windows in the database.</param>
/// <param name="Alerts">Overheatings in the database.</param>
/// <param name="Absences">Silences in the database.</param>
/// <param name="Dropped">Readings dropped because the queries did not keep up; none unless a source is told to.</param>
/// <param name="Duplicates">Deliveries of readings that had been taken before.</param>
public sealed record Totals(
    long Published, long Received, long Stored, long DeadLetters, long Summaries, long Alerts, long Absences, long Dropped, long Duplicates)
{
    private static readonly JsonSerializerOptions _json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>Readings that the broker acknowledged and did not deliver.</summary>
    public long Undelivered() => Math.Max(0, Published - (Received - Duplicates));

    /// <summary>What is missing or too much; null where all adds up.</summary>
    public string? Difference()
    {
        long delivered = Received - Published - Duplicates, kept = Received - Stored - DeadLetters - Dropped - Duplicates;
        return (delivered, kept) switch
        {
            (0, 0) => null,
            (_, 0) => $"received {Received:N0} is not published {Published:N0} + duplicates {Duplicates:N0}: {delivered:+#,0;-#,0}",
            _ => $"received {Received:N0} is not stored {Stored:N0} + dead letters {DeadLetters:N0} + dropped {Dropped:N0} + duplicates {Duplicates:N0}: {kept:+#,0;-#,0}",
        };
    }

    public static Totals Of(CepEngine engine, Publisher publisher)
    {
        var source = engine.Sources[0];
        var readings = engine.Queries.Single(q => q.Name == "readings");
        return new Totals(
            publisher.Taken(source.Received - source.Duplicates), source.Received, readings.Sink!.Written,
            source.DeadLetters + readings.SkippedEvents + readings.Sink.Rejected,
            Written("summaries"), Written("alerts"), Written("silences"), source.Dropped, source.Duplicates);

        long Written(string query) => engine.Queries.Single(q => q.Name == query).Sink!.Written;
    }

    public void Write(string file) => File.WriteAllText(file, JsonSerializer.Serialize(this, _json) + Environment.NewLine);

    public override string ToString() => $"""
          published    {Published,12:N0}
          received     {Received,12:N0}
          stored       {Stored,12:N0}
          dead letters {DeadLetters,12:N0}
          dropped      {Dropped,12:N0}
          duplicates   {Duplicates,12:N0}
          summaries    {Summaries,12:N0}
          alerts       {Alerts,12:N0}
          absences     {Absences,12:N0}
        """;
}
