using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace IoT.Reference.Gateway;

[JsonSerializable(typeof(JsonObject))]
internal sealed partial class GatewayJson : JsonSerializerContext;
