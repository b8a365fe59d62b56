using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using IoT.Reference.Contracts;
using IoT.Reference.DeviceManager.Commands;
using IoT.Reference.DeviceManager.Jobs;
using IoT.Reference.DeviceManager.Links;
using IoT.Reference.DeviceManager.Registry;
using IoT.Reference.DeviceManager.States;
using IoT.Reference.DeviceManager.Storage;

namespace IoT.Reference.DeviceManager.Tests;

/// <summary>Whatever is asked for, in whatever order: the store shows only steps that stand in the tables.</summary>
public sealed class RandomWalkTests
{
    [Property(MaxTest = 30)]
    public Property A_device_takes_no_step_that_is_not_in_its_table() => Prop.ForAll(
        Gen.Choose(0, Enum.GetValues<DeviceCause>().Length - 1).ListOf(20).ToArbitrary(),
        causes =>
        {
            using var parts = new WalkingParts();
            foreach (int cause in causes)
            {
                var before = parts.Registry.Get("d1").State;
                var expected = DeviceStates.Table.Next(before, (DeviceCause)cause) ?? before;
                WalkingParts.Try(() => parts.Registry.Move("d1", (DeviceCause)cause));
                Assert.Equal(expected, parts.Registry.Get("d1").State);
            }
        });

    [Property(MaxTest = 30)]
    public Property A_command_takes_no_step_that_is_not_in_its_table_whatever_the_device_answers() => Prop.ForAll(
        Gen.Choose(0, Enum.GetValues<CommandOutcome>().Length - 1).ListOf(12).ToArbitrary(),
        outcomes =>
        {
            using var parts = new WalkingParts();
            string id = parts.Desk.Give("d1", new CommandRequest("reboot"), "olga").Id;
            foreach (int outcome in outcomes)
            {
                var before = parts.Desk.Find(id)!.State;
                var expected = CommandStates.Table.Next(before, CommandStates.CauseOf((CommandOutcome)outcome)) ?? before;
                parts.Desk.OnAck("d1", new CommandAck(id, (CommandOutcome)outcome));
                parts.Desk.OnAck("d2", new CommandAck(id, CommandOutcome.Done));
                Assert.Equal(expected, parts.Desk.Find(id)!.State);
            }
        });

    [Property(MaxTest = 30)]
    public Property A_job_takes_no_step_that_is_not_in_its_table() => Prop.ForAll(
        Gen.Choose(0, Enum.GetValues<JobCause>().Length - 1).ListOf(10).ToArbitrary(),
        causes =>
        {
            using var parts = new WalkingParts();
            string id = parts.Jobs.Create(new JobRequest("walk", new CommandRequest("reboot"), Devices: ["d1"]), "olga").Id;
            foreach (int cause in causes)
            {
                var before = parts.Jobs.Get(id).State;
                var expected = JobStates.Table.Next(before, (JobCause)cause) ?? before;
                WalkingParts.Try(() => parts.Jobs.Move(id, (JobCause)cause, "olga"));
                Assert.Equal(expected, parts.Jobs.Get(id).State);
            }
        });

    private sealed class WalkingParts : IDisposable
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("device-manager").FullName;
        private readonly Database _database;
        private readonly IdentityLink _identity = new(new HttpClient { BaseAddress = new Uri("http://127.0.0.1:1") });

        public WalkingParts()
        {
            var options = new DeviceManagerOptions
            {
                Identity = new Uri("http://127.0.0.1:1"),
                Service = new ServiceCredential("device-manager", "secret"),
                Bus = new Uri("mqtt://127.0.0.1:1"),
                DataFolder = _folder,
            };
            _database = new Database(Path.Combine(_folder, "devices.db"));
            var audit = new AuditLog(_database, TimeProvider.System, static _ => { });
            var outbox = new Outbox(_database, _identity, audit, TimeProvider.System);
            Registry = new DeviceRegistry(_database, _identity, outbox, audit, options);
            Desk = new CommandDesk(_database, new BusLink(options), audit, options);
            Jobs = new JobStore(_database, audit, options);
            _database.Execute("insert into devices(id, type, state, owner, created) values('d1', 'pi', 1, 'anna', 0)");
        }

        public DeviceRegistry Registry { get; }

        public CommandDesk Desk { get; }

        public JobStore Jobs { get; }

        public static void Try(Action step)
        {
            try
            {
                step();
            }
            catch (Refusal)
            {
                // It can't happen in this state; that it did not is asked for behind it.
            }
        }

        public void Dispose()
        {
            _identity.Dispose();
            _database.Dispose();
            Directory.Delete(_folder, recursive: true);
        }
    }
}
