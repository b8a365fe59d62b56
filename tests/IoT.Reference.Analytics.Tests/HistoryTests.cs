using System.Text;

using IoT.Reference.Analytics.Batch;
using IoT.Reference.Analytics.Storage;
using IoT.Reference.Contracts;

using Microsoft.Extensions.Time.Testing;

namespace IoT.Reference.Analytics.Tests;

public sealed class HistoryTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Store _store;
    private readonly FakeTimeProvider _clock = new(RuleHarness.Start);

    public HistoryTests() => _store = new Store(_folder.File("history.db"));

    public void Dispose()
    {
        _store.Dispose();
        _folder.Dispose();
    }

    [Fact]
    [Trait("Requirement", "R75")]
    public void A_reading_that_comes_twice_is_stored_once()
    {
        var history = new History(_store, RuleHarness.Start);
        var harness = new RuleHarness().Read(0, 1).Read(1, 2);
        history.Append([.. harness.Readings, .. harness.Readings]);
        history.Append([.. harness.Readings]);
        Assert.Equal([1.0, 2], history.Read("dev1", "raw", DateTimeOffset.MinValue, DateTimeOffset.MaxValue, null, 10).Select(r => r.Value));
    }

    [Fact]
    [Trait("Requirement", "R30")]
    [Trait("Requirement", "R129")]
    public async Task Readings_roll_up_to_minutes_and_hours_and_each_has_its_time_to_live()
    {
        var history = new History(_store, RuleHarness.Start);
        var harness = Fleet(devices: 3, hours: 3, every: 10);
        await using (var engine = await harness.RunAsync(bus => StorageQueries.Declare(bus, history, _store)))
        {
            Assert.All(engine.Queries, q => Assert.Null(q.Error));
        }

        Assert.Equal((3 * 3 * 360, 3 * 180, 3 * 3), (Count("readings"), Count("minutes"), Count("hours")));
        Assert.Equal(3 * 3 * 360, Sum("minutes"));
        Assert.Equal(3 * 3 * 360, Sum("hours"));

        // Two hours later, with a quarter of an hour for readings and an hour for minutes.
        _clock.Advance(TimeSpan.FromHours(3));
        new Retention(_store, new RetentionOptions { Readings = TimeSpan.FromMinutes(15), Minutes = TimeSpan.FromHours(1) }, _clock).Run();
        Assert.Equal((3 * 90, 3 * 60, 3 * 3), (Count("readings"), Count("minutes"), Count("hours")));
    }

    [Fact]
    public void A_store_that_is_too_large_lets_the_oldest_readings_go_first()
    {
        var history = new History(_store, RuleHarness.Start);
        history.Append([.. Fleet(devices: 4, hours: 4, every: 1).Readings]);
        long before = _store.UsedBytes();
        new Retention(_store, new RetentionOptions { MaxBytes = before / 2 }, _clock).Run();
        Assert.True(_store.UsedBytes() <= before / 2);
        Assert.NotEmpty(history.Read("dev1", "raw", RuleHarness.Start.AddHours(3.9), DateTimeOffset.MaxValue, null, 10));
        Assert.Empty(history.Read("dev1", "raw", RuleHarness.Start, RuleHarness.Start.AddMinutes(30), null, 10));
    }

    [Fact]
    [Trait("Requirement", "R129")]
    public async Task A_roll_up_is_what_the_readings_add_up_to_although_the_process_was_killed_in_its_window()
    {
        var first = new History(_store, RuleHarness.Start);
        first.Append([.. new RuleHarness().Read(0, 1).Read(10, 2).Readings]);

        // Killed here: no window of it was ever given out. The next process sees the rest of the minute, and a reading of the minute before the start.
        var second = new History(_store, RuleHarness.Start.AddSeconds(20));
        second.Repair(TimeSpan.FromHours(1));
        await using var engine = await new RuleHarness().Read(30, 6).Read(70, 9).RunAsync(bus => StorageQueries.Declare(bus, second, _store));
        var minutes = second.Read("dev1", "minute", DateTimeOffset.MinValue, DateTimeOffset.MaxValue, null, 10);
        Assert.Equal([(3, 3.0, 1.0, 6.0), (1, 9, 9, 9)], minutes.Select(m => ((int)m.Count, m.Value, m.Min!.Value, m.Max!.Value)));
    }

    [Fact]
    [Trait("Requirement", "R101")]
    public async Task A_devices_readings_less_than_five_minutes_apart_are_a_session()
    {
        var history = new History(_store, RuleHarness.Start);
        await using var engine = await new RuleHarness().Read(0, 1).Read(200, 5).Read(400, 3).Read(1_000, 7).RunAsync(bus => StorageQueries.Declare(bus, history, _store));
        var sessions = _store.Read(c => c.Rows(r => (r.GetInt64(0), r.GetDouble(1), r.GetDouble(2)), "SELECT readings, min, max FROM sessions ORDER BY start"));
        Assert.Equal([(3, 1, 5), (1, 7, 7)], sessions);
    }

    [Theory]
    [Trait("Requirement", "R77")]
    [Trait("Requirement", "R109")]
    [InlineData(1)]
    [InlineData(4)]
    public async Task A_batch_job_over_the_history_gives_what_the_live_query_gave(int workers)
    {
        var history = new History(_store, RuleHarness.Start);
        await using (await Fleet(devices: 250, hours: 1, every: 30).RunAsync(bus => StorageQueries.Declare(bus, history, _store), shards: 2))
        {
        }

        await using var jobs = new BatchJobs(_store, _clock);
        var (job, _) = jobs.Begin(new BatchRequest(RuleHarness.Start, RuleHarness.Start.AddHours(1), 60, Workers: workers));
        await jobs.WaitAsync(job!.Id);
        var done = jobs.Find(job.Id, 100_000, null)!;
        Assert.Equal((JobState.Done, done.Parts), (done.State, done.Done));
        var live = _store.Read(c => c.Rows(
            r => new StoredReading(r.GetString(0), r.GetString(1), r.Time(2), r.GetDouble(4) / r.GetInt64(3), r.GetInt64(3), r.GetDouble(5), r.GetDouble(6)), "SELECT * FROM minutes ORDER BY device, name, time"));
        Assert.Equal(250 * 60, live.Count);
        Assert.Equal(live.Select(r => (r.Device, r.Name, r.Time, r.Count, r.Min, r.Max)), done.Results!.Select(r => (r.Device, r.Name, r.Time, r.Count, r.Min, r.Max)));
        Assert.All(live.Zip(done.Results!), pair => Assert.Equal(pair.First.Value, pair.Second.Value, 9));
    }

    [Fact]
    [Trait("Requirement", "R77")]
    public async Task A_batch_job_that_is_cut_off_goes_on_after_a_restart_and_counts_nothing_twice()
    {
        new History(_store, RuleHarness.Start).Append([.. Fleet(devices: 250, hours: 1, every: 60).Readings]);
        var held = new TaskCompletionSource();
        string id;
        await using (var jobs = new BatchJobs(_store, _clock)
        {
            BeforePart = (part, stop) =>
            {
                if (part.Number == 0)
                {
                    return Task.CompletedTask;
                }

                held.TrySetResult();
                return Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stop);
            },
        })
        {
            id = jobs.Begin(new BatchRequest(RuleHarness.Start, RuleHarness.Start.AddHours(1), 3_600, Workers: 1)).Job!.Id;
            await held.Task;
        }

        await using var next = new BatchJobs(_store, _clock);
        Assert.Equal((JobState.Running, 1), (next.Find(id, 0, null)!.State, next.Find(id, 0, null)!.Done));
        next.Resume();
        await next.WaitAsync(id);
        var done = next.Find(id, 1_000, null)!;
        Assert.Equal((JobState.Done, 250), (done.State, done.Results!.Count));
        Assert.All(done.Results!, r => Assert.Equal(60, r.Count));
    }

    [Fact]
    public async Task A_batch_job_can_be_cancelled()
    {
        new History(_store, RuleHarness.Start).Append([.. Fleet(devices: 2, hours: 1, every: 60).Readings]);
        await using var jobs = new BatchJobs(_store, _clock) { BeforePart = (_, stop) => Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stop) };
        string id = jobs.Begin(new BatchRequest(RuleHarness.Start, RuleHarness.Start.AddHours(1), 60)).Job!.Id;
        Assert.True(await jobs.CancelAsync(id));
        Assert.Equal(JobState.Cancelled, jobs.Find(id, 0, null)!.State);
        Assert.False(await jobs.CancelAsync(id));
    }

    [Fact]
    [Trait("Requirement", "R10")]
    public async Task What_was_erased_is_in_no_file_and_open_windows_do_not_bring_it_back()
    {
        var history = new History(_store, RuleHarness.Start);
        var harness = new RuleHarness();
        for (int i = 0; i < 5_000; i++)
        {
            harness.Read(i, i, "the-secret-fridge").Read(i, i, "other");
        }

        history.Append([.. harness.Readings]);
        await using var jobs = new BatchJobs(_store, _clock);
        await jobs.WaitAsync(jobs.Begin(new BatchRequest(RuleHarness.Start, RuleHarness.Start.AddHours(2), 60, ["the-secret-fridge"])).Job!.Id);
        Assert.True(FilesName("the-secret-fridge"));
        history.Erase(["the-secret-fridge"], harness.Readings[^1].Sequence);
        history.Roll(Step.Minute, [new RollUp("the-secret-fridge", "temperature", RuleHarness.Start, 60, 1, 1, 1, 10), new RollUp("other", "temperature", RuleHarness.Start, 60, 1, 1, 1, 10)]);
        Assert.False(FilesName("the-secret-fridge"));
        Assert.True(FilesName("other"));
    }

    private static RuleHarness Fleet(int devices, int hours, int every)
    {
        var harness = new RuleHarness();
        for (int second = 0; second < hours * 3_600; second += every)
        {
            for (int device = 1; device <= devices; device++)
            {
                harness.Read(second, 40 + (10 * Math.Sin((second / 600.0) + device)), $"dev{device}");
            }
        }

        return harness;
    }

    private bool FilesName(string text) => Directory.GetFiles(_folder.Path).Any(file =>
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)) >= 0;
    });

    private long Count(string table) => _store.Read(c => c.Number($"SELECT COUNT(*) FROM {table}"));

    private long Sum(string table) => _store.Read(c => c.Number($"SELECT SUM(count) FROM {table}"));
}
