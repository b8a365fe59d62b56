using IoT.Reference.Host.Tour;
using Xunit.Abstractions;

namespace IoT.Reference.Host;

/// <summary>All layers together: the tour walks through them by their public ports and checks what it sees.</summary>
public sealed class TourTests(ITestOutputHelper output)
{
    [Fact]
    [Trait("Requirement", "R1")]
    [Trait("Requirement", "R23")]
    [Trait("Requirement", "R46")]
    public async Task The_tour_finds_everything_as_it_should_be()
    {
        string folder = Directory.CreateTempSubdirectory("iot-tour-").FullName;
        using var said = new StringWriter();
        try
        {
            int code = await TourCommand.RunAsync(
                new HostOptions { DataFolder = folder, Port = 0, Devices = 66, Interval = TimeSpan.FromSeconds(2), FaultShare = 0 }, said);

            output.WriteLine(said.ToString());
            Assert.True(code == 0, said.ToString());
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
