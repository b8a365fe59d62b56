using FsCheck.Xunit;

namespace IoT.Cep.Tests;

public class OrderedOutputTests
{
    [Property]
    public void Results_come_by_time_then_group_then_arrival(byte[] times, byte seed)
    {
        using var sink = new Collector<int>(new QueryContext("test", ErrorPolicy.Stop, null));
        using var output = new OrderedOutput<int>(sink);
        byte[] groups = new byte[times.Length];
        new Random(seed).NextBytes(groups);
        for (int i = 0; i < times.Length; i++)
        {
            output.Add(i, times[i] % 5, (byte)(groups[i] % 3));
        }

        output.Flush();
        Assert.Equal(Enumerable.Range(0, times.Length).OrderBy(i => times[i] % 5).ThenBy(i => groups[i] % 3), sink.Results.Select(row => row.Value));
        Assert.Equal(0, output.Count);
    }

    [Fact]
    public void Many_results_leave_in_usual_batches()
    {
        using var sink = new Collector<int>(new QueryContext("test", ErrorPolicy.Stop, null));
        using var output = new OrderedOutput<int>(sink);
        for (int i = 0; i < 3000; i++)
        {
            output.Add(i, -i, 0);
        }

        output.Flush();
        output.Flush();
        Assert.Equal(Enumerable.Range(0, 3000).Reverse(), sink.Results.Select(row => row.Value));
    }
}
