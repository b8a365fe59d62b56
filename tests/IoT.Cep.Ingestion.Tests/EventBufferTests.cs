using FsCheck.Xunit;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Ingestion.Tests;

public sealed class EventBufferTests
{
    [Property]
    public void Adding_rejecting_and_dropping_the_oldest_leave_what_a_list_holds(byte[] steps)
    {
        using var buffer = new EventBuffer<string>(new StringPool(), capacity: 16);
        var model = new List<string>();
        foreach (byte step in steps)
        {
            buffer.BeginMessage(0);
            for (int i = 0; i < step % 23; i++)
            {
                buffer.Add($"{step} {i}");
            }

            if (step % 5 == 0)
            {
                buffer.Reject(DeadLetterReason.Malformed, "");
            }
            else
            {
                model.AddRange(Enumerable.Range(0, step % 23).Select(i => $"{step} {i}"));
                Assert.Equal(step % 23, buffer.MessageCount);
            }

            int oldest = Math.Min(step % 19, model.Count);
            buffer.RemoveFirst(oldest);
            model.RemoveRange(0, oldest);
            Assert.Equal(model, buffer.Events.ToArray());
        }

        buffer.Clear();
        Assert.Equal(0, buffer.Count);
    }

    [Fact]
    public void Dropping_one_for_each_added_neither_grows_nor_allocates()
    {
        using var buffer = new EventBuffer<long>(new StringPool(), capacity: 1024);
        Enumerable.Range(0, 500).ToList().ForEach(i => buffer.Add(i));
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (long i = 500; i < 1_000_000; i++)
        {
            buffer.Add(i);
            buffer.RemoveFirst(1);
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 20_000);
        Assert.Equal((500, 999_500L, 999_999L), (buffer.Count, buffer.Events[0], buffer.Events[^1]));
    }
}
