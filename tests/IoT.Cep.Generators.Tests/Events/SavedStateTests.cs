using IoT.Cep.Extensibility;

namespace IoT.Cep.Generators.Tests;

public sealed class SavedStateTests
{
    [Fact]
    public void A_member_of_every_type_comes_back() =>
        Assert.Equal(EverythingSample.Event, Decoding.SavedAndLoaded(EverythingSample.Event));

    [Fact]
    public void Optional_members_come_back_with_and_without_a_value()
    {
        var some = new Optional(1.5, 2.5f, 3.5m, 4, ulong.MaxValue, "6", true, default(DateTimeOffset), default(DateTime), DoorState.Ajar);
        var none = new Optional(null, null, null, null, null, null, null, null, null, null);
        Assert.Equal(some, Decoding.SavedAndLoaded(some));
        Assert.Equal(none, Decoding.SavedAndLoaded(none));
    }

    [Fact]
    public void An_offset_and_a_kind_come_back()
    {
        var time = new DateTimeOffset(2026, 7, 1, 14, 0, 0, TimeSpan.FromHours(2));
        Assert.Equal(time.Offset, Decoding.SavedAndLoaded(new Reading(time, "s1", 1)).Time.Offset);
        var clock = DateTime.SpecifyKind(time.DateTime, DateTimeKind.Local);
        Assert.Equal(DateTimeKind.Local, Decoding.SavedAndLoaded(new Measured(clock, 1)).Time.Kind);
    }

    [Fact]
    public void An_event_of_nothing_comes_back() =>
        Assert.Equal(default, Decoding.SavedAndLoaded(default(Reading)));

    [Fact]
    public void A_codec_is_registered_when_the_module_is_loaded()
    {
        var codec = Assert.IsType<StateCodec<Reading>>(StateCodec.Find<Reading>());
        var writer = new StateWriter();
        codec.Write(writer, new Reading(default, "s1", 70));
        Assert.Equal(70, codec.Read(new StateReader(writer.Written)).Celsius);
        Assert.NotNull(StateCodec.Find<Everything>());
    }
}
