using System.Text.Unicode;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// What a message brings beside its body, as fields of an event type: places of the topic by their name, and what the members' attributes ask for. It is worked out once
/// for each message; a message without a template, of a type without such attributes, costs one comparison.
/// </summary>
internal sealed class MetadataBinding
{
    // Templates come from the program and not from the network; the bound is for programs that make them up as they run.
    private const int MaxTemplates = 256;

    private readonly EventSchema _schema;
    private readonly int _maxTextBytes;
    private readonly int[] _declared;
    private readonly ulong _declaredMask;
    private readonly Range[] _ranges = new Range[TopicTemplate.MaxPlaces];
    private readonly Dictionary<TopicTemplate, int[]> _known = [];
    private readonly Source[] _sources;
    private byte[] _utf8 = [];
    private string _topic = "";
    private long _received;
    private int _count;

    internal MetadataBinding(EventSchema schema, PayloadLimits limits)
    {
        _schema = schema;
        _maxTextBytes = limits.MaxTextBytes;
        _declared = [.. Enumerable.Range(0, schema.Fields.Count).Where(i => schema.Fields[i].Origin != FieldOrigin.Payload)];
        _declaredMask = _declared.Aggregate(0UL, static (mask, i) => mask | (1UL << i));
        _sources = new Source[schema.Fields.Count];
        Otherwise = schema.TimeIndex >= 0 && schema.Fields[schema.TimeIndex] is { IsReceivedOtherwise: true, Origin: FieldOrigin.Payload }
            ? schema.TimeIndex : -1;
    }

    /// <summary>Whether the current message's events are read through a <see cref="BoundReader{TReader}"/>.</summary>
    internal bool IsActive { get; private set; }

    /// <summary>A bit for each field that never comes from the current message's body.</summary>
    internal ulong Mask { get; private set; }

    /// <summary>A bit for each field that the current message's body need not have.</summary>
    internal ulong Given => IsActive ? Mask | (Otherwise >= 0 ? 1UL << Otherwise : 0) : 0;

    /// <summary>The index of the event's time, where the time of arrival stands in for it; else -1.</summary>
    internal int Otherwise { get; }

    internal int Count => _count;

    internal long Received => _received;

    /// <summary>Begins a message; false where its topic is none of its template's, and then it is rejected.</summary>
    internal bool TryBegin<T>(in Payload payload, EventBuffer<T> output)
    {
        if (_declaredMask == 0 && Otherwise < 0 && payload.Template is not { Names.Count: > 0 })
        {
            IsActive = false;
            return true;
        }

        _count = 0;
        _received = output.ReceivedTicks;
        Mask = _declaredMask;
        IsActive = true;
        foreach (int field in _declared)
        {
            BindDeclared(field, in payload);
        }

        if (payload.Template is not { Names.Count: > 0 } template || BindPlaces(template, payload.Topic))
        {
            return true;
        }

        output.Reject(DeadLetterReason.UnknownTopic, $"The topic is none of '{template}'.");
        return false;
    }

    internal int Field(int source) => _sources[source].Field;

    internal bool IsTime(int source) => _sources[source].Text is null;

    internal long Time(int source) => _sources[source].Ticks;

    /// <summary>What a message says of a value: where it stands.</summary>
    internal string PlaceOf(int source) => _sources[source].IsTopic ? "the topic's" : "the header's";

    internal string NameOf(int source) => _schema.Fields[_sources[source].Field].Name;

    /// <summary>A value's text in UTF-8; false where it is longer than the limit.</summary>
    internal bool TryUtf8(int source, out ReadOnlySpan<byte> utf8)
    {
        ref readonly var from = ref _sources[source];
        if (_utf8.Length == 0)
        {
            _utf8 = new byte[_maxTextBytes];
        }

        var status = Utf8.FromUtf16(from.Text.AsSpan(from.Start, from.Length), _utf8, out _, out int length);
        utf8 = _utf8.AsSpan(0, length);
        return status == System.Buffers.OperationStatus.Done;
    }

    private void BindDeclared(int field, in Payload payload)
    {
        var member = _schema.Fields[field];
        switch (member.Origin)
        {
            case FieldOrigin.ReceivedTime:
                _sources[_count++] = new Source { Field = field, Ticks = _received };
                break;
            case FieldOrigin.SentTime when payload.SentTicks != 0 || member.IsReceivedOtherwise:
                _sources[_count++] = new Source { Field = field, Ticks = payload.SentTicks != 0 ? payload.SentTicks : _received };
                break;
            case FieldOrigin.Header when payload.Headers.Find(member.HeaderName!) is { } value:
                _sources[_count++] = new Source { Field = field, Text = value, Length = value.Length };
                break;
            case FieldOrigin.Sender when payload.Sender is { } sender:
                _sources[_count++] = new Source { Field = field, Text = sender, Length = sender.Length };
                break;
        }
    }

    private bool BindPlaces(TopicTemplate template, string topic)
    {
        if (!_known.TryGetValue(template, out int[]? fields))
        {
            if (_known.Count == MaxTemplates)
            {
                _known.Clear();
            }

            _known.Add(template, fields = [.. template.Names.Select(place => FieldNames.OfPlace(_schema, place))]);
        }

        if (!template.TryMatch(topic, _ranges))
        {
            return false;
        }

        _topic = topic;
        for (int i = 0; i < fields.Length; i++)
        {
            ulong bit = fields[i] < 0 ? 0 : 1UL << fields[i];
            if ((bit & ~Mask) != 0)
            {
                var (start, length) = _ranges[i].GetOffsetAndLength(topic.Length);
                _sources[_count++] = new Source { Field = fields[i], Text = _topic, Start = start, Length = length, IsTopic = true };
                Mask |= bit;
            }
        }

        return true;
    }

    /// <summary>A field's value: a part of a text, or a time where there is no text.</summary>
    private struct Source
    {
        internal string? Text;
        internal long Ticks;
        internal int Field;
        internal int Start;
        internal int Length;
        internal bool IsTopic;
    }
}
