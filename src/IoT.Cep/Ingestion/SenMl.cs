using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Decoders and encoders of SenML in JSON and CBOR (RFC 8428), the sensor measurement lists of CoAP and LwM2M devices.</summary>
/// <remarks>
/// Base values, name and time resolution follow section 4 of the RFC. A time below 2^28 seconds is relative to the time at which the
/// payload was received. Labels that are not known are passed over, except those that end in an underscore, which the RFC says must be
/// understood: they and a version above 10 give <c>UnknownTopic</c>. A payload is decoded whole or becomes a dead letter whole.
/// </remarks>
public static class SenMl
{
    /// <summary>Also takes what devices sent before the RFC; see <see cref="SenMlMode.Lenient"/>.</summary>
    public const SenMlMode Lenient = SenMlMode.Lenient;

    /// <summary>
    /// One event for each base name and time of a pack: the records of that name and time become the event's fields by their own names
    /// (<c>n</c>), the base name goes to the <see cref="EventKeyAttribute"/> member and the time to the <see cref="EventTimeAttribute"/> member.
    /// </summary>
    /// <remarks>
    /// One <c>:</c> or <c>/</c> at the end of the base name is left out. Records that the type doesn't have are passed over; a
    /// pack with none that it has is refused. Fields become numbers from <c>v</c>, text from <c>vs</c> or <c>vd</c> (base64), Booleans from <c>vb</c>.
    /// </remarks>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="mode">How closely a payload must follow the RFC.</param>
    /// <param name="limits">How much one payload may hold; <see cref="PayloadLimits.Default"/> where null.</param>
    public static Decoder<T> Decode<T>(SenMlMode mode = SenMlMode.Strict, PayloadLimits? limits = null)
        where T : IEvent<T> => new PackDecoder<T>(mode, isCbor: false, PayloadLimits.Check(limits));

    /// <summary>The same as <see cref="Decode{T}(SenMlMode, PayloadLimits?)"/> for packs in CBOR (RFC 8428, section 6).</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="limits">How much one payload may hold; <see cref="PayloadLimits.Default"/> where null.</param>
    public static Decoder<T> DecodeCbor<T>(PayloadLimits? limits = null)
        where T : IEvent<T> => new PackDecoder<T>(SenMlMode.Strict, isCbor: true, PayloadLimits.Check(limits));

    /// <summary>One event for each record of packs in CBOR (RFC 8428, section 6).</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="read">Makes an event of a record.</param>
    /// <param name="limits">How much one payload may hold; <see cref="PayloadLimits.Default"/> where null.</param>
    public static Decoder<T> DecodeCbor<T>(Func<SenMlRecord, T> read, PayloadLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(read);
        return new RecordDecoder<T>(read, SenMlMode.Strict, isCbor: true, PayloadLimits.Check(limits));
    }

    /// <summary>Writes an event as <see cref="Encode{T}"/> does, in CBOR.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <exception cref="ArgumentException">A member's name can't be a SenML name.</exception>
    public static Encoder<T> EncodeCbor<T>()
        where T : IEvent<T> => new SenMlCborEncoder<T>();

    /// <summary>One event for each record: <c>SenMl.Decode(r =&gt; new Reading(r.Time, r.Name, r.Value))</c>.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="read">Makes an event of a record.</param>
    /// <param name="mode">How closely a payload must follow the RFC.</param>
    /// <param name="limits">How much one payload may hold; <see cref="PayloadLimits.Default"/> where null.</param>
    public static Decoder<T> Decode<T>(
        Func<SenMlRecord, T> read, SenMlMode mode = SenMlMode.Strict, PayloadLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(read);
        return new RecordDecoder<T>(read, mode, isCbor: false, PayloadLimits.Check(limits));
    }

    /// <summary>
    /// Writes an event as a pack that <see cref="Decode{T}(SenMlMode, PayloadLimits?)"/> reads back: the <see cref="EventKeyAttribute"/> as base name, the
    /// <see cref="EventTimeAttribute"/> as base time, each other member as a record, with its <see cref="UnitAttribute"/>. A null is left out.
    /// </summary>
    /// <remarks>SenML can't hold a key that is no SenML name, nor a time before July 1978: such an event throws <see cref="FormatException"/>.</remarks>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <exception cref="ArgumentException">A member's name can't be a SenML name.</exception>
    public static Encoder<T> Encode<T>()
        where T : IEvent<T> => new SenMlEncoder<T>();

    private sealed class PackDecoder<T>(SenMlMode mode, bool isCbor, PayloadLimits limits) : Decoder<T>
        where T : IEvent<T>
    {
        private readonly FieldNames _names = new(T.Schema);
        private readonly PayloadBuffer _buffer = new(limits);
        private readonly SenMlEntries _entries = new();
        private readonly MetadataBinding _binding = new(T.Schema, limits);

        public override void Decode(in Payload payload, EventBuffer<T> output)
        {
            ArgumentNullException.ThrowIfNull(output);
            if (!_buffer.TryJoin(in payload, output, out var bytes) || !_binding.TryBegin(in payload, output))
            {
                return;
            }

            if (isCbor)
            {
                Read(new SenMlCbor(bytes, _buffer), output);
            }
            else
            {
                Read(new SenMlJson(bytes, _buffer, mode), output);
            }
        }

        private void Read<TWire>(TWire wire, EventBuffer<T> output)
            where TWire : struct, ISenMlWire, allows ref struct
        {
            var parser = new SenMlParser<TWire>(wire, mode, limits.MaxEvents, output.ReceivedTicks);
            if (parser.TryRead(_entries) && _entries.TryGroup(ref parser.Wire, _names, mode, output.Strings))
            {
                ReadGroups(parser.Wire, output);
            }
            else
            {
                parser.Wire.Fault.Reject(output);
            }
        }

        private void ReadGroups<TWire>(TWire wire, EventBuffer<T> output)
            where TWire : struct, ISenMlWire, allows ref struct
        {
            var reader = new SenMlFieldReader<TWire>(wire, _entries.Span, _names, output.Strings);
            foreach (ref readonly var group in _entries.Groups)
            {
                reader.Begin(in group);
                if (!BoundReading.TryRead(ref reader, _binding, output.Strings, out T value) || !reader.Ok)
                {
                    reader.Fail(DeadLetterReason.Malformed, -1);
                    reader.Fault.Reject(output);
                    return;
                }

                output.Add(in value);
            }

            if (_entries.Groups.IsEmpty && _entries.Count > 0)
            {
                output.Reject(DeadLetterReason.MissingField, $"No record of the pack is a field of {T.Schema.TypeName}.");
            }
        }
    }

    private sealed class RecordDecoder<T>(Func<SenMlRecord, T> read, SenMlMode mode, bool isCbor, PayloadLimits limits) : Decoder<T>
    {
        private readonly PayloadBuffer _buffer = new(limits);
        private readonly SenMlEntries _entries = new();
        private readonly byte[] _name = new byte[2 * limits.MaxTextBytes];
        private readonly SenMlParts _parts = new(limits);

        public override void Decode(in Payload payload, EventBuffer<T> output)
        {
            ArgumentNullException.ThrowIfNull(output);
            if (!_buffer.TryJoin(in payload, output, out var bytes))
            {
                return;
            }

            _parts.Begin(output.Strings, output.ReceivedTicks);
            if (isCbor)
            {
                Read(new SenMlCbor(bytes, _buffer), in payload, output);
            }
            else
            {
                Read(new SenMlJson(bytes, _buffer, mode), in payload, output);
            }
        }

        private void Read<TWire>(TWire wire, in Payload payload, EventBuffer<T> output)
            where TWire : struct, ISenMlWire, allows ref struct
        {
            var parser = new SenMlParser<TWire>(wire, mode, limits.MaxEvents, output.ReceivedTicks);
            if (parser.TryRead(_entries))
            {
                foreach (ref readonly var entry in _entries.Span)
                {
                    string name = Name(ref parser.Wire, in entry, output.Strings);
                    string unit = Text(ref parser.Wire, entry.Unit, output.Strings);
                    string text = entry.Kind is SenMlValueKind.Text or SenMlValueKind.Data ? Text(ref parser.Wire, entry.Text, output.Strings) : "";
                    if (!parser.Ok)
                    {
                        break;
                    }

                    var value = read(new SenMlRecord(name, unit, text, in entry, in payload, _parts));
                    if (_parts.Missing is { } place)
                    {
                        output.Reject(DeadLetterReason.MissingField, $"{SafeText.Escape(place, 64)}: {MessageParts.NoSuchPlace}.");
                        return;
                    }

                    output.Add(in value);
                }
            }

            if (!parser.Ok)
            {
                parser.Wire.Fault.Reject(output);
            }
        }

        private string Name<TWire>(ref TWire wire, in SenMlEntry entry, StringPool strings)
            where TWire : struct, ISenMlWire, allows ref struct
        {
            if (entry.BaseName.Length == 0)
            {
                return Text(ref wire, entry.Name, strings);
            }

            if (!wire.TryBytes(entry.BaseName, null, out var utf8))
            {
                return "";
            }

            int length = utf8.Length;
            utf8.CopyTo(_name);
            if (!wire.TryBytes(entry.Name, null, out utf8))
            {
                return "";
            }

            utf8.CopyTo(_name.AsSpan(length));
            return strings.Get(_name.AsSpan(0, length + utf8.Length));
        }

        private static string Text<TWire>(ref TWire wire, JsonText text, StringPool strings)
            where TWire : struct, ISenMlWire, allows ref struct => wire.TryBytes(text, null, out var utf8) ? strings.Get(utf8) : "";
    }
}
