using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>MQTT sources and sinks: <c>cep.From(Mqtt.Subscribe("city/+/+", decoder))</c>, <c>alerts.To(Mqtt.Publish(...))</c>.</summary>
public static class Mqtt
{
    /// <summary>Messages of one topic filter, decoded into events.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="topicFilter">
    /// The filter: <c>+</c> stands for one level, <c>#</c> at the end for all further ones. A place may have a name, <c>plant/{line}/{sensor}</c>, which the decoder binds to the event's member (<c>{*rest}</c>, last, is all further levels); and
    /// <c>$share/group/filter</c> shares the messages with other programs of the group.
    /// </param>
    /// <param name="decoder">Turns payloads into events.</param>
    /// <param name="qualityOfService">The highest QoS wanted; the broker delivers at most what the publisher used.</param>
    /// <param name="connection">The connection's name: the one given to <c>cep.Mqtt(..., name)</c>.</param>
    /// <exception cref="ArgumentException">The filter is malformed.</exception>
    public static ISource<T> Subscribe<T>(
        string topicFilter,
        Decoder<T> decoder,
        MqttQualityOfService qualityOfService = MqttQualityOfService.AtLeastOnce,
        string connection = Connections.Default) =>
        new MqttTransport([topicFilter], qualityOfService, connection).With(decoder);

    /// <summary>Messages of several topic filters by one connection. Where filters overlap, most brokers deliver a message once for each.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="topicFilters">The filters or templates.</param>
    /// <param name="decoder">Turns payloads into events.</param>
    /// <param name="qualityOfService">The highest QoS wanted; the broker delivers at most what the publisher used.</param>
    /// <param name="connection">The connection's name: the one given to <c>cep.Mqtt(..., name)</c>.</param>
    /// <exception cref="ArgumentException">There is no filter, or one is malformed.</exception>
    public static ISource<T> Subscribe<T>(
        string[] topicFilters,
        Decoder<T> decoder,
        MqttQualityOfService qualityOfService = MqttQualityOfService.AtLeastOnce,
        string connection = Connections.Default) =>
        new MqttTransport(topicFilters, qualityOfService, connection).With(decoder);

    /// <summary>Messages of several topic filters by one connection, with all that can be said about a subscription.</summary>
    /// <typeparam name="T">The event's type.</typeparam>
    /// <param name="topicFilters">The filters; <c>$share/group/filter</c> shares the messages with other programs of the group.</param>
    /// <param name="decoder">Turns payloads into events.</param>
    /// <param name="options">How it subscribes.</param>
    /// <exception cref="ArgumentException">There is no filter, or one is malformed.</exception>
    public static ISource<T> Subscribe<T>(string[] topicFilters, Decoder<T> decoder, MqttSubscribeOptions options) =>
        new MqttTransport(topicFilters, options).With(decoder);

    /// <summary>Publishes each result to a topic that is filled from its fields: <c>Mqtt.Publish("alerts/{building}/{sensor}", Json.Encode&lt;Alert&gt;())</c>.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="topicTemplate">The topic, with fields' names for places. A result whose field can't be a level of a topic becomes a dead letter.</param>
    /// <param name="encoder">Writes the payload; over MQTT 5 it also names the media type.</param>
    /// <param name="qualityOfService">The QoS; from 1 on the sink is durable: it waits for the broker's acknowledgement.</param>
    /// <param name="retained">Whether the broker keeps the topic's last message for later subscribers.</param>
    /// <param name="connection">The connection's name: the one given to <c>cep.Mqtt(..., name)</c>.</param>
    /// <exception cref="ArgumentException">The template is malformed, or has a place that the type has no field for.</exception>
    public static ISink<T> Publish<T>(
        string topicTemplate,
        Encoder<T> encoder,
        MqttQualityOfService qualityOfService = MqttQualityOfService.AtLeastOnce,
        bool retained = false,
        string connection = Connections.Default)
        where T : IEvent<T>
    {
        ArgumentException.ThrowIfNullOrEmpty(topicTemplate);
        return TopicTemplate.TryParse(topicTemplate.StartsWith('/') ? "/" + topicTemplate : topicTemplate, out var template, out string? error)
            ? Publish(template.For<T>(), encoder, qualityOfService, retained, connection)
            : throw new ArgumentException(error, nameof(topicTemplate));
    }

    /// <summary>Publishes each result as an encoder writes it.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="topic">Gives the topic. One with wildcards, control characters or a leading <c>$</c> makes the result a dead letter.</param>
    /// <param name="encoder">Writes the payload; over MQTT 5 it also names the media type.</param>
    /// <param name="qualityOfService">The QoS; from 1 on the sink is durable: it waits for the broker's acknowledgement.</param>
    /// <param name="retained">Whether the broker keeps the topic's last message for later subscribers.</param>
    /// <param name="connection">The connection's name: the one given to <c>cep.Mqtt(..., name)</c>.</param>
    public static ISink<T> Publish<T>(
        Func<T, string> topic,
        Encoder<T> encoder,
        MqttQualityOfService qualityOfService = MqttQualityOfService.AtLeastOnce,
        bool retained = false,
        string connection = Connections.Default)
    {
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(encoder);
        ArgumentException.ThrowIfNullOrEmpty(connection);
        return new MqttPublishSink<T>(topic, (result, output) => encoder.Encode(in result, output), new MqttPublishOptions<T>
        {
            QualityOfService = qualityOfService,
            Retained = retained,
            Connection = connection,
            ContentType = encoder.ContentType,
            Headers = encoder.HasHeaders ? HeadersOf : null,
            NeedsHeaders = encoder.HasHeaders,
        });

        IEnumerable<KeyValuePair<string, string>> HeadersOf(T result)
        {
            var headers = new List<KeyValuePair<string, string>>();
            encoder.WriteHeaders(in result, headers);
            return headers;
        }
    }

    /// <summary>Publishes each result as JSON by generated code: works trimmed and compiled ahead of time.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="topic">Gives the topic. One with wildcards, control characters or a leading <c>$</c> makes the result a dead letter.</param>
    /// <param name="json">How the result is written: <c>MyJsonContext.Default.Alert</c>.</param>
    /// <param name="qualityOfService">The QoS; from 1 on the sink is durable: it waits for the broker's acknowledgement.</param>
    /// <param name="retained">Whether the broker keeps the topic's last message for later subscribers.</param>
    /// <param name="connection">The connection's name: the one given to <c>cep.Mqtt(..., name)</c>.</param>
    public static ISink<T> Publish<T>(
        Func<T, string> topic,
        JsonTypeInfo<T> json,
        MqttQualityOfService qualityOfService = MqttQualityOfService.AtLeastOnce,
        bool retained = false,
        string connection = Connections.Default)
    {
        return Publish(topic, json, new MqttPublishOptions<T> { QualityOfService = qualityOfService, Retained = retained, Connection = connection });
    }

    /// <summary>Publishes each result as JSON (camelCase) by reflection; for trimmed or ahead-of-time compiled programs give a <see cref="JsonTypeInfo{T}"/>.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="topic">Gives the topic. One with wildcards, control characters or a leading <c>$</c> makes the result a dead letter.</param>
    /// <param name="qualityOfService">The QoS; from 1 on the sink is durable: it waits for the broker's acknowledgement.</param>
    /// <param name="retained">Whether the broker keeps the topic's last message for later subscribers.</param>
    /// <param name="connection">The connection's name: the one given to <c>cep.Mqtt(..., name)</c>.</param>
    [RequiresUnreferencedCode("JSON by reflection. Give a JsonTypeInfo<T>: Mqtt.Publish(topic, MyJsonContext.Default.Alert).")]
    [RequiresDynamicCode("JSON by reflection. Give a JsonTypeInfo<T>: Mqtt.Publish(topic, MyJsonContext.Default.Alert).")]
    public static ISink<T> Publish<T>(
        Func<T, string> topic,
        MqttQualityOfService qualityOfService = MqttQualityOfService.AtLeastOnce,
        bool retained = false,
        string connection = Connections.Default) =>
        Publish(topic, (JsonTypeInfo<T>)JsonSerializerOptions.Web.GetTypeInfo(typeof(T)), qualityOfService, retained, connection);

    /// <summary>Publishes each result as UTF-8 text.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="topic">Gives the topic. One with wildcards, control characters or a leading <c>$</c> makes the result a dead letter.</param>
    /// <param name="payload">Gives the text.</param>
    /// <param name="qualityOfService">The QoS; from 1 on the sink is durable: it waits for the broker's acknowledgement.</param>
    /// <param name="retained">Whether the broker keeps the topic's last message for later subscribers.</param>
    /// <param name="connection">The connection's name: the one given to <c>cep.Mqtt(..., name)</c>.</param>
    public static ISink<T> Publish<T>(
        Func<T, string> topic,
        Func<T, string> payload,
        MqttQualityOfService qualityOfService = MqttQualityOfService.AtLeastOnce,
        bool retained = false,
        string connection = Connections.Default)
    {
        ArgumentNullException.ThrowIfNull(payload);
        return Publish<T>(topic, (result, output) => Encoding.UTF8.GetBytes(payload(result), output), qualityOfService, retained, connection);
    }

    /// <summary>Publishes each result as bytes.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="topic">Gives the topic. One with wildcards, control characters or a leading <c>$</c> makes the result a dead letter.</param>
    /// <param name="encode">Writes the payload.</param>
    /// <param name="qualityOfService">The QoS; from 1 on the sink is durable: it waits for the broker's acknowledgement.</param>
    /// <param name="retained">Whether the broker keeps the topic's last message for later subscribers.</param>
    /// <param name="connection">The connection's name: the one given to <c>cep.Mqtt(..., name)</c>.</param>
    public static ISink<T> Publish<T>(
        Func<T, string> topic,
        Action<T, IBufferWriter<byte>> encode,
        MqttQualityOfService qualityOfService = MqttQualityOfService.AtLeastOnce,
        bool retained = false,
        string connection = Connections.Default)
    {
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(encode);
        ArgumentException.ThrowIfNullOrEmpty(connection);
        return new MqttPublishSink<T>(topic, encode, new MqttPublishOptions<T> { QualityOfService = qualityOfService, Retained = retained, Connection = connection });
    }

    /// <summary>Publishes each result as bytes, with what MQTT 5 can say beside them.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="topic">Gives the topic. One with wildcards, control characters or a leading <c>$</c> makes the result a dead letter.</param>
    /// <param name="encode">Writes the payload.</param>
    /// <param name="options">How it is published: QoS, headers, media type, expiry.</param>
    public static ISink<T> Publish<T>(Func<T, string> topic, Action<T, IBufferWriter<byte>> encode, MqttPublishOptions<T> options)
    {
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(encode);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrEmpty(options.Connection);
        if (options.Expiry is { } expiry && (expiry < TimeSpan.FromSeconds(1) || expiry.TotalSeconds > uint.MaxValue))
        {
            throw new ArgumentOutOfRangeException(nameof(options), "Expiry must be at least 1 s, or null: messages then do not expire.");
        }

        return new MqttPublishSink<T>(topic, encode, options);
    }

    /// <summary>Publishes each result as JSON by generated code, with what MQTT 5 can say beside it.</summary>
    /// <typeparam name="T">The result's type.</typeparam>
    /// <param name="topic">Gives the topic. One with wildcards, control characters or a leading <c>$</c> makes the result a dead letter.</param>
    /// <param name="json">How the result is written: <c>MyJsonContext.Default.Alert</c>.</param>
    /// <param name="options">How it is published: QoS, headers, media type, expiry.</param>
    public static ISink<T> Publish<T>(Func<T, string> topic, JsonTypeInfo<T> json, MqttPublishOptions<T> options)
    {
        ArgumentNullException.ThrowIfNull(json);
        ArgumentNullException.ThrowIfNull(options);
        return Publish(topic, (result, output) => WriteJson(result, output, json), options with { ContentType = options.ContentType ?? "application/json" });
    }

    private static void WriteJson<T>(T result, IBufferWriter<byte> output, JsonTypeInfo<T> json)
    {
        using var writer = new Utf8JsonWriter(output);
        JsonSerializer.Serialize(writer, result, json);
    }

    /// <summary>Publishes messages to the topics that they name: the far side of a bridge. Over MQTT 5 with their media types and headers, which become user properties.</summary>
    /// <param name="qualityOfService">The QoS; from 1 on the sink is durable: it waits for the broker's acknowledgement.</param>
    /// <param name="retained">Whether the broker keeps the topic's last message for later subscribers.</param>
    /// <param name="connection">The connection's name: the one given to <c>cep.Mqtt(..., name)</c>.</param>
    public static ISink<Message> PublishMessages(
        MqttQualityOfService qualityOfService = MqttQualityOfService.AtLeastOnce, bool retained = false, string connection = Connections.Default)
    {
        ArgumentException.ThrowIfNullOrEmpty(connection);
        return new MqttPublishSink<Message>(static m => m.Topic, static (m, output) => output.Write(m.Body.Span), new MqttPublishOptions<Message>
        {
            QualityOfService = qualityOfService,
            Retained = retained,
            Connection = connection,
            Headers = static m => m.Headers,
            ContentTypeOf = static m => m.ContentType,
        });
    }
}
