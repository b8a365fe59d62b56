using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Conformance;

/// <summary>An event of a case: whatever fields it has.</summary>
internal sealed record Row(string Id, long Ms, string Key, IReadOnlyDictionary<string, Value> Fields)
{
    internal DateTimeOffset Time => DateTimeOffset.UnixEpoch.AddMilliseconds(Ms);

    internal long Ticks => TicksAt(Ms);

    internal static long TicksAt(long ms) => ms * TimeSpan.TicksPerMillisecond;

    internal Value Of(string field) => Fields.GetValueOrDefault(field);

    public override string ToString() => Id;

#pragma warning disable CA2255 // as the source generator does it for [Event] types
    [ModuleInitializer]
    internal static void Register() => StateCodec.Register(Save, Load);
#pragma warning restore CA2255

    private static void Save(StateWriter writer, Row row)
    {
        writer.Text(row.Id);
        writer.Int64(row.Ms);
        writer.Text(row.Key);
        writer.Int32(row.Fields.Count);
        foreach (var (name, value) in row.Fields)
        {
            writer.Text(name);
            value.Save(writer);
        }
    }

    private static Row Load(StateReader reader)
    {
        var (id, ms, key) = (reader.Text()!, reader.Int64(), reader.Text()!);
        var fields = new Dictionary<string, Value>(StringComparer.Ordinal);
        for (int count = reader.Int32(); count > 0; count--)
        {
            string name = reader.Text()!;
            fields[name] = Value.Load(reader);
        }

        return new Row(id, ms, key, fields);
    }
}
