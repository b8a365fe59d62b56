using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace IoT.Reference.Devices.Agent;

[JsonSerializable(typeof(JsonObject))]
internal sealed partial class AgentJson : JsonSerializerContext;
