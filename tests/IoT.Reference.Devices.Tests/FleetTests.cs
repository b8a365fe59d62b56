using System.Text;
using System.Text.Json;

using FsCheck.Xunit;

using IoT.Reference.Devices.Fleet;

namespace IoT.Reference.Devices.Tests;

[Trait("Requirement", "R120")]
public sealed class FleetTests
{
    private static readonly DateTimeOffset _start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Property]
    public bool The_same_seed_gives_the_same_faults(ulong seed, ushort device, ushort minutes)
    {
        DateTimeOffset time = _start.AddMinutes(minutes);
        return new FaultPlan(seed, 0.5, _start).At(device, time) == new FaultPlan(seed, 0.5, _start).At(device, time);
    }

    [Property]
    public bool A_fault_is_where_its_label_says_and_nowhere_else(ulong seed, byte device, ushort seconds)
    {
        var plan = new FaultPlan(seed, 0.5, _start);
        DateTimeOffset time = _start.AddSeconds(seconds);
        FaultLabel? label = plan.Labels("d", device, _start.AddDays(2)).FirstOrDefault(l => l.From <= time && time < l.To);
        return plan.At(device, time) == (label?.Fault ?? Fault.None);
    }

    [Fact]
    public void Every_fault_occurs_in_the_share_that_was_asked_for()
    {
        var plan = new FaultPlan(7, 0.1, _start);
        DateTimeOffset middle = _start + (FaultPlan.Period / 2);

        var faults = Enumerable.Range(0, 10_000).Select(i => plan.At(i, middle)).Where(f => f != Fault.None).CountBy(f => f).ToDictionary();

        Assert.Equal(6, faults.Count);
        Assert.InRange(faults.Values.Sum(), 900, 1_100);
    }

    [Fact]
    [Trait("Requirement", "R47")]
    public void A_small_device_sends_at_most_256_bytes()
    {
        for (int i = 0; i < 10_000; i++)
        {
            DateTimeOffset time = _start.AddSeconds(i * 977);
            double celsius = Readings.Temperature(1, i, time, (Fault)(i % 7), TimeSpan.FromSeconds(i % 180));
            (byte[] body, _) = Readings.Write(DeviceKind.Arduino, celsius, time);

            Assert.InRange(body.Length, 1, Readings.SmallPayloadBytes);
            Assert.Equal(JsonValueKind.Object, JsonSerializer.Deserialize<JsonElement>(body).ValueKind);
        }
    }

    [Theory]
    [InlineData(DeviceKind.Pi, "application/senml+json", "[{\"bt\":1767225600.000,\"n\":\"temperature\",\"u\":\"Cel\",\"v\":41.5},{\"n\":\"load\",\"u\":\"/\",\"v\":0.415}]")]
    [InlineData(DeviceKind.Legacy, "application/json", "{\"time\":1767225600,\"temperature\":41.5}")]
    [InlineData(DeviceKind.Arduino, "application/json", "{\"time\":1767225600.000,\"temperature\":41.5}")]
    [InlineData(DeviceKind.Coap, "text/plain", "41.5")]
    public void Each_kind_writes_as_it_does(DeviceKind kind, string contentType, string expected)
    {
        (byte[] body, string type) = Readings.Write(kind, 41.5, _start);

        Assert.Equal((contentType, expected), (type, Encoding.UTF8.GetString(body)));
    }
}
