using System.Buffers;
using System.Text.Json;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Writes the OpenAPI 3.1 document of a server's endpoints.</summary>
internal static class OpenApiDocument
{
    internal static byte[] Write(HttpServer server)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("openapi", "3.1.0");
            json.WriteStartObject("info");
            json.WriteString("title", "IoT.Cep");
            json.WriteString("version", "1");
            json.WriteEndObject();
            json.WriteStartObject("paths");
            foreach (var ingest in server.Ingests)
            {
                WritePath(json, ingest.Template, () => WriteReceive(json, ingest));
            }

            foreach (var feed in server.Feeds)
            {
                WritePath(json, feed.Path, () => WriteFeed(json));
            }

            foreach (var commands in server.CommandEndpoints)
            {
                WritePath(json, commands.Template, () => WriteCommands(json));
            }

            foreach (var mediation in server.Mediations)
            {
                WritePath(json, mediation.Template, () => WriteMediation(json));
            }

            json.WriteEndObject();
            WriteSecurity(json, server.Options.Security);
            json.WriteEndObject();
        }

        return output.WrittenSpan.ToArray();
    }

    private static void WritePath(Utf8JsonWriter json, TopicTemplate template, Action operations)
    {
        json.WriteStartObject("/" + template.ToString().Replace("{*", "{", StringComparison.Ordinal));
        if (template.Names.Count > 0)
        {
            json.WriteStartArray("parameters");
            foreach (string name in template.Names)
            {
                WriteParameter(json, name, "path", "string", "");
            }

            json.WriteEndArray();
        }

        operations();
        json.WriteEndObject();
    }

    private static void WriteReceive(Utf8JsonWriter json, HttpIngest ingest)
    {
        json.WriteStartObject("post");
        json.WriteString("summary", "Sends one message, or lines of messages; without a body the query's values are the fields.");
        json.WriteStartArray("parameters");
        WriteParameter(json, "Idempotency-Key", "header", "string", "A request of the same key is not taken again, and gets the same answer.");
        json.WriteEndArray();
        json.WriteStartObject("requestBody");
        json.WriteStartObject("content");
        IEnumerable<string> types = ingest.Options.ContentTypes.Count > 0 ? ingest.Options.ContentTypes : ["*/*", .. ingest.Options.LineContentTypes];
        foreach (string type in types)
        {
            json.WriteStartObject(type);
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteEndObject();
        WriteResponses(json, ingest.Options.Answer == HttpAnswer.Accepted ? ("202", "Taken.") : ("204", "Taken, and its effect is in place."),
            ("200", "A report: all lines were taken."), ("207", "A report: some lines were rejected."), ("400", "Rejected: the reason and the field."), ("401", "Who are you?"),
            ("403", "Not allowed."), ("413", "Too large."), ("415", "A media type or encoding that is not taken."), ("429", "Past the sender's limit; see Retry-After."),
            ("503", "Not now; see Retry-After."));
        json.WriteEndObject();
    }

    private static void WriteFeed(Utf8JsonWriter json)
    {
        json.WriteStartObject("get");
        json.WriteString("summary", "Listens to results: server-sent events, or a WebSocket.");
        json.WriteStartArray("parameters");
        WriteParameter(json, "Last-Event-ID", "header", "string", "The last result that was seen: those after it come first, as far as they are kept.");
        json.WriteEndArray();
        WriteResponses(json, ("200", "A stream of events."), ("401", "Who are you?"), ("403", "Not allowed."), ("503", "As many listen as may."));
        json.WriteEndObject();
    }

    private static void WriteMediation(Utf8JsonWriter json)
    {
        json.WriteStartObject("post");
        json.WriteString("summary", "Sends a request to a device and answers what the device says.");
        json.WriteStartArray("parameters");
        WriteParameter(json, "Prefer", "header", "string", "wait=5: how many seconds the caller waits.");
        json.WriteEndArray();
        json.WriteStartObject("requestBody");
        json.WriteStartObject("content");
        json.WriteStartObject("*/*");
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
        WriteResponses(json, ("200", "The device's answer."), ("204", "An answer without a body."), ("400", "Not a request that is taken."), ("401", "Who are you?"), ("403", "Not allowed."),
            ("404", "No such device."), ("413", "Too large."), ("429", "Too many requests for this device; see Retry-After."), ("502", "The device failed."),
            ("503", "Not sent: see Retry-After."), ("504", "No answer in time."));
        json.WriteEndObject();
    }

    private static void WriteCommands(Utf8JsonWriter json)
    {
        json.WriteStartObject("get");
        json.WriteString("summary", "Fetches the oldest command, in its header Command-Id its name; the same one until it is acknowledged.");
        json.WriteStartArray("parameters");
        WriteParameter(json, "wait", "query", "number", "How many seconds to wait for one.");
        WriteParameter(json, "ack", "query", "string", "The Command-Id to acknowledge before.");
        json.WriteEndArray();
        WriteResponses(json, ("200", "A command."), ("204", "None."), ("401", "Who are you?"), ("403", "Not allowed."), ("503", "Too many wait."));
        json.WriteEndObject();
        json.WriteStartObject("delete");
        json.WriteString("summary", "Acknowledges a command.");
        json.WriteStartArray("parameters");
        WriteParameter(json, "ack", "query", "string", "The Command-Id.");
        json.WriteEndArray();
        WriteResponses(json, ("204", "Forgotten."), ("404", "No such command waits."));
        json.WriteEndObject();
    }

    private static void WriteParameter(Utf8JsonWriter json, string name, string place, string type, string description)
    {
        json.WriteStartObject();
        json.WriteString("name", name);
        json.WriteString("in", place);
        json.WriteBoolean("required", place == "path");
        if (description.Length > 0)
        {
            json.WriteString("description", description);
        }

        json.WriteStartObject("schema");
        json.WriteString("type", type);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteResponses(Utf8JsonWriter json, params ReadOnlySpan<(string Status, string Description)> responses)
    {
        json.WriteStartObject("responses");
        foreach (var (status, description) in responses)
        {
            json.WriteStartObject(status);
            json.WriteString("description", description);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void WriteSecurity(Utf8JsonWriter json, ListenerSecurity security)
    {
        (string Name, string Type, string? Scheme)[] schemes =
        [
            .. security.Password is null ? [] : new[] { ("basic", "http", (string?)"basic") },
            .. security.Token is null ? [] : new[] { ("bearer", "http", (string?)"bearer") },
            .. security.Certificate is null ? [] : new[] { ("certificate", "mutualTLS", (string?)null) },
        ];
        if (schemes.Length == 0)
        {
            return;
        }

        json.WriteStartObject("components");
        json.WriteStartObject("securitySchemes");
        foreach (var (name, type, scheme) in schemes)
        {
            json.WriteStartObject(name);
            json.WriteString("type", type);
            if (scheme is not null)
            {
                json.WriteString("scheme", scheme);
            }

            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteStartArray("security");
        foreach (var (name, _, _) in schemes)
        {
            json.WriteStartObject();
            json.WriteStartArray(name);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
