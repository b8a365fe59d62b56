using System.Runtime.CompilerServices;

namespace IoT.Cep.Tests;

/// <summary>A keyed event.</summary>
internal readonly record struct Reading(string Key, double Value)
{
#pragma warning disable CA2255 // as the source generator does it for [Event] types
    [ModuleInitializer]
    internal static void Register() => StateCodec.Register<Reading>(
        static (writer, reading) =>
        {
            writer.Text(reading.Key);
            writer.Double(reading.Value);
        },
        static reader => new Reading(reader.Text()!, reader.Double()));
#pragma warning restore CA2255

    public override string ToString() => FormattableString.Invariant($"{Key}={Value}");
}
