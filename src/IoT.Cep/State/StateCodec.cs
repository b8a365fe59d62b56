using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>How values of a type are written into saved state and read back.</summary>
/// <typeparam name="T">The type.</typeparam>
/// <param name="Write">Writes a value.</param>
/// <param name="Read">Reads a value.</param>
public sealed record StateCodec<T>(Action<StateWriter, T> Write, Func<StateReader, T> Read);

/// <summary>
/// The known codecs. Values without references, text, <see cref="EventAttribute"/> types
/// and structs that are <see cref="ISaveable"/> have one from the start; register one for
/// any other type that a query keeps in its state. A query whose state has no codec runs, but can't be saved.
/// </summary>
public static class StateCodec
{
    /// <summary>Registers how a type is saved; a later registration replaces an earlier one.</summary>
    /// <typeparam name="T">The type.</typeparam>
    /// <param name="write">Writes a value.</param>
    /// <param name="read">Reads a value.</param>
    public static void Register<T>(Action<StateWriter, T> write, Func<StateReader, T> read) =>
        Known<T>.Codec = new StateCodec<T>(write, read);

    /// <summary>Registers an event type; the source generator calls it from the type's module initializer.</summary>
    /// <typeparam name="T">The event type.</typeparam>
    public static void RegisterEvent<T>()
        where T : IEvent<T>
    {
        Register<T>(static (writer, value) => T.Write(writer, in value), static reader => T.Read(reader));
        EventTimes<T>.Select = T.Schema.TimeIndex < 0 ? null : static value => Ticks.ToTime(T.TicksOf(in value));
    }

    /// <summary>A type's codec, or null where it has none.</summary>
    /// <typeparam name="T">The type.</typeparam>
    public static StateCodec<T>? Find<T>() => Known<T>.Codec ??= BuiltIn<T>();

    internal static StateCodec<T> Require<T>() => Find<T>() ?? throw new NotSupportedException(
        $"State that holds {typeof(T)} can't be saved: mark the type with [Event], or call StateCodec.Register<{typeof(T).Name}>(...).");

    private static StateCodec<T>? BuiltIn<T>()
    {
        if (typeof(T) == typeof(string))
        {
            return (StateCodec<T>)(object)new StateCodec<string?>(static (w, v) => w.Text(v), static r => r.Text());
        }

        if (typeof(T) == typeof(Message))
        {
            return (StateCodec<T>)(object)new StateCodec<Message>(Message.Save, Message.Load);
        }

        if (default(T) is ISaveable)
        {
            return new StateCodec<T>(static (w, v) => ((ISaveable)v!).Save(w), ReadSelf<T>);
        }

        return RuntimeHelpers.IsReferenceOrContainsReferences<T>() ? null : new StateCodec<T>(WriteRaw, ReadRaw<T>);
    }

    private static unsafe void WriteRaw<T>(StateWriter writer, T value) =>
        writer.Bytes(new ReadOnlySpan<byte>(Unsafe.AsPointer(ref value), Unsafe.SizeOf<T>()));

    /// <summary>A struct is loaded in its box, which is a copy that can change.</summary>
    private static T ReadSelf<T>(StateReader reader)
    {
        object self = default(T)!;
        ((ISaveable)self).Load(reader);
        return (T)self;
    }

    private static T ReadRaw<T>(StateReader reader)
    {
        var bytes = reader.Bytes();
        return bytes.Length == Unsafe.SizeOf<T>() ? Unsafe.ReadUnaligned<T>(in bytes.Span[0]) : throw new InvalidDataException(
            $"Saved state has {bytes.Length} bytes where {typeof(T)} has {Unsafe.SizeOf<T>()}: it was saved by another type or projection.");
    }

    /// <summary>The time of events whose stream does not say which: the member marked [EventTime].</summary>
    internal static class EventTimes<T>
    {
        internal static Func<T, DateTimeOffset>? Select;
    }

    private static class Known<T>
    {
        internal static StateCodec<T>? Codec;
    }
}
