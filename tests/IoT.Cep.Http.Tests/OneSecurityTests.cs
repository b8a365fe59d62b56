using System.Net;
using MQTTnet;
using MQTTnet.Formatter;
using MQTTnet.Protocol;

namespace IoT.Cep;

/// <summary>An HTTP server and an MQTT broker of one process that ask the same object who may do what.</summary>
public sealed class OneSecurityTests
{
    private static ListenerSecurity Open() => new()
    {
        Token = token => new ValueTask<Identity?>(token.StartsWith("t-", StringComparison.Ordinal)
            ? new Identity(token[2..], AuthenticationMethod.Token, claims: [new("scope", token == "t-reader" ? "read" : "publish")]) : null),
        Authorize = (who, action, _) => new ValueTask<bool>(action == AccessAction.Connect || who.Claims["scope"] == "publish"),
    };

    [Fact]
    [Trait("Requirement", "R60")]
    [Trait("Requirement", "R66")]
    public async Task A_token_and_its_scope_count_at_the_server_and_at_the_broker()
    {
        var security = Open();
        await using var broker = await MqttBroker.StartAsync(new MqttBrokerOptions { Port = 0, Security = security });
        await using var endpoint = await Endpoint.StartAsync(configure: o => o.Security = security);

        Assert.Equal((HttpStatusCode.NoContent, MqttClientPublishReasonCode.Success), await SendAsync("t-device"));
        Assert.Equal((HttpStatusCode.Forbidden, MqttClientPublishReasonCode.NotAuthorized), await SendAsync("t-reader"));
        Assert.Equal((HttpStatusCode.Unauthorized, null), await SendAsync("wrong"));

        async Task<(HttpStatusCode, MqttClientPublishReasonCode?)> SendAsync(string token)
        {
            using var response = await endpoint.PostAsync("/t/dev7", """{"sensor":"a","v":1}""", "application/json", ("Authorization", "Bearer " + token));
            using var client = new MqttClientFactory().CreateMqttClient();
            var connected = await client.ConnectAsync(new MqttClientOptionsBuilder()
                .WithTcpServer("127.0.0.1", broker.Port).WithProtocolVersion(MqttProtocolVersion.V500).WithCredentials("any", token).Build());
            if (connected.ResultCode != MqttClientConnectResultCode.Success)
            {
                return (response.StatusCode, null);
            }

            var published = await client.PublishStringAsync("t/dev7", "1", MqttQualityOfServiceLevel.AtLeastOnce);
            return (response.StatusCode, published.ReasonCode == MqttClientPublishReasonCode.NoMatchingSubscribers ? MqttClientPublishReasonCode.Success : published.ReasonCode);
        }
    }
}
