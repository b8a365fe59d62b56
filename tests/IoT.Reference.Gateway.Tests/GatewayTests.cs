using System.Text.Json;

using IoT.Reference.Contracts;

namespace IoT.Reference.Gateway;

public sealed class GatewayTests
{
    [Fact]
    [Trait("Requirement", "R4")]
    public async Task Datagrams_and_lines_become_messages_of_their_devices_on_the_bus()
    {
        await using Field field = await Field.StartAsync("s-1", "plc-1");

        await field.SendAsync("s-1", 0, 20);
        await field.SendLinesAsync(field.Frame("plc-1", 0, 30), field.Frame("plc-1", 60, 31));
        await field.SendAsync("s-1", 60, 21);

        Assert.Equal([20], await field.TemperaturesUntilAsync("s-1", 20));
        Assert.Equal([30], await field.TemperaturesUntilAsync("plc-1", 30));
    }

    [Fact]
    [Trait("Requirement", "R62")]
    [Trait("Requirement", "R4")]
    public async Task A_command_for_a_device_behind_the_gateway_reaches_it()
    {
        await using Field field = await Field.StartAsync("s-1");
        await field.SendAsync("s-1", 0, 20);
        await field.SendAsync("s-1", 60, 21);
        await field.ArrivedAsync("t/s-1");

        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        await field.CommandAsync(new DeviceCommand("c1", "s-1", CommandNames.Set, JsonSerializer.SerializeToElement(new { output = "fan", value = 1 }), now, now.AddMinutes(1)));
        (string device, string kind, JsonElement body) = await field.DownAsync();

        Assert.Equal(("s-1", "commands", "c1"), (device, kind, body.GetProperty("id").GetString()));
    }

    [Fact]
    [Trait("Requirement", "R3")]
    public async Task While_the_uplink_is_cut_it_alerts_by_itself_and_afterwards_hands_everything_up_once_and_in_order()
    {
        await using Field field = await Field.StartAsync("s-1");
        await field.SendAsync("s-1", 0, 20);
        await field.SendAsync("s-1", 10, 20.5);
        await field.ArrivedAsync("t/s-1");

        field.Uplink.Cut();
        for (int i = 2; i < 52; i++)
        {
            // Every fifth comes after the one behind it, and some come twice.
            int second = i % 5 == 0 ? i + 1 : i % 5 == 1 && i > 5 ? i - 1 : i;
            await field.SendAsync("s-1", 20 + second, 70 + second, number: 1_000 + second);
            if (i % 7 == 0)
            {
                await field.SendAsync("s-1", 20 + second, 70 + second, number: 1_000 + second);
            }
        }

        await Field.UntilAsync(() => field.Gateway.Alerts > 0);
        (_, string kind, JsonElement body) = await field.DownAsync();
        await Field.UntilAsync(() => field.Gateway.Waiting > 0);
        field.Uplink.Mend();
        await field.SendAsync("s-1", 1_000, 1);
        await field.SendAsync("s-1", 2_000, 2);
        List<double> temperatures = await field.TemperaturesUntilAsync("s-1", 1);

        Assert.Equal(("commands", "set"), (kind, body.GetProperty("name").GetString()));
        Assert.Equal(Expected(), temperatures.Where(t => t > 50).Distinct());
        Assert.Equal(temperatures.Where(t => t > 50).Order(), temperatures.Where(t => t > 50));

        static IEnumerable<double> Expected() => Enumerable.Range(2, 50).Select(i => 70.0 + i);
    }

    [Fact]
    [Trait("Requirement", "R52")]
    public async Task Frames_that_a_radio_repeats_and_mixes_up_arrive_once_and_in_order()
    {
        await using Field field = await Field.StartAsync("s-1");

        foreach (int second in (int[])[0, 2, 1, 2, 3, 1, 5, 4, 5])
        {
            await field.SendAsync("s-1", second, 20 + second, number: second);
        }

        await field.SendAsync("s-1", 100, 99);
        await field.SendAsync("s-1", 200, 100);

        Assert.Equal([20, 21, 22, 23, 24, 25, 99], await field.TemperaturesUntilAsync("s-1", 99));
    }

    [Fact]
    [Trait("Requirement", "R50")]
    public async Task Radio_addresses_of_16_and_64_bits_are_devices()
    {
        await using Field field = await Field.StartAsync("s-1", "s-2");

        await field.SendAsync("0x4F21", 0, 20);
        await field.SendAsync("0x00124b0001abcdef", 0, 30);
        await field.SendAsync("0x4F21", 60, 21);

        Assert.Equal([20], await field.TemperaturesUntilAsync("s-1", 20));
        Assert.Equal([30], await field.TemperaturesUntilAsync("s-2", 30));
    }

    [Fact]
    public async Task A_frame_that_comes_too_late_for_its_place_is_handed_up_all_the_same()
    {
        await using Field field = await Field.StartAsync("s-1");

        await field.SendAsync("s-1", 100, 20);
        await field.SendAsync("s-1", 200, 21);
        await field.SendAsync("s-1", 50, 19);
        await field.SendAsync("s-1", 300, 22);

        Assert.Contains(19, await field.TemperaturesUntilAsync("s-1", 19));
    }

    [Fact]
    public async Task What_is_no_frame_or_of_nobody_here_does_no_harm()
    {
        await using Field field = await Field.StartAsync("s-1");

        await field.SendFrameAsync("garbage");
        await field.SendFrameAsync("[]");
        await field.SendFrameAsync("""{"d":"s-1","q":1,"k":"commands","b":{}}""");
        await field.SendFrameAsync("""{"d":"stranger","q":1,"k":"t","b":{"temperature":1}}""");
        await field.SendFrameAsync($$"""{"d":"s-1","q":1,"k":"t","b":"{{new string('x', 5_000)}}"}""");
        await field.SendAsync("s-1", 0, 20);
        await field.SendAsync("s-1", 60, 21);

        Assert.Equal([20], await field.TemperaturesUntilAsync("s-1", 20));
    }
}
