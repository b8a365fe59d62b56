using IoT.Reference.Contracts;
using IoT.Reference.DeviceManager.States;

namespace IoT.Reference.DeviceManager.Tests;

public sealed class StateMachineTests
{
    [Fact]
    public void The_diagrams_in_the_readme_are_the_tables_that_run()
    {
        string readme = File.ReadAllText(Path.Combine(Repository(), "samples", "ReferenceArchitecture", "DeviceManager", "README.md"));
        foreach (string diagram in (string[])[DeviceStates.Table.Mermaid(), CommandStates.Table.Mermaid(), JobStates.Table.Mermaid(), RolloutStates.Table.Mermaid()])
        {
            Assert.Contains("```mermaid\n" + diagram + "```", readme, StringComparison.Ordinal);
        }
    }

    [Fact]
    [Trait("Requirement", "R71")]
    public void Every_pair_of_state_and_cause_is_decided_by_the_table_and_by_nothing_else()
    {
        Check(DeviceStates.Table);
        Check(CommandStates.Table);
        Check(JobStates.Table);
        Check(RolloutStates.Table);
    }

    [Fact]
    public void A_command_that_is_over_stays_as_it_is()
    {
        foreach (var state in Enum.GetValues<CommandState>().Where(static s => !CommandStates.IsOpen(s)))
        {
            Assert.All(Enum.GetValues<CommandCause>(), cause => Assert.Null(CommandStates.Table.Next(state, cause)));
        }
    }

    [Fact]
    public void Every_state_can_be_reached()
    {
        Assert.Equal(Enum.GetValues<DeviceState>().Except([DeviceState.Registered]).Order(), Reached(DeviceStates.Table, DeviceState.Registered));
        Assert.Equal(Enum.GetValues<CommandState>().Except([CommandState.Queued]).Order(), Reached(CommandStates.Table, CommandState.Queued));
        Assert.Equal(Enum.GetValues<JobState>().Except([JobState.Running]).Order(), Reached(JobStates.Table, JobState.Running));
        Assert.Equal(Enum.GetValues<RolloutState>().Except([RolloutState.Running]).Order(), Reached(RolloutStates.Table, RolloutState.Running));
    }

    [Fact]
    [Trait("Requirement", "R71")]
    public void Being_locked_gates_all_commands_but_those_that_a_lost_device_needs()
    {
        string[] taken = ["lock", "unlock", "wipe", "locate", "rotate-credential"];
        string[] all = [.. taken, "set", "reboot", "update", "rollback", "network", "something-of-its-own"];
        Assert.Equal(taken, all.Where(static c => DeviceStates.Takes(DeviceState.Locked, c)));
        Assert.DoesNotContain(all, static c => DeviceStates.Takes(DeviceState.Wiped, c) || DeviceStates.Takes(DeviceState.Revoked, c));
    }

    private static void Check<TState, TCause>(Transitions<TState, TCause> table)
        where TState : struct, Enum
        where TCause : struct, Enum
    {
        foreach (var from in Enum.GetValues<TState>())
        {
            foreach (var cause in Enum.GetValues<TCause>())
            {
                var row = table.Rows.Where(r => r.From.Equals(from) && r.Cause.Equals(cause)).ToArray();
                Assert.Equal(row is [var one] ? one.To : null, table.Next(from, cause));
            }
        }
    }

    private static IEnumerable<TState> Reached<TState, TCause>(Transitions<TState, TCause> table, TState start)
        where TState : struct, Enum
        where TCause : struct, Enum
    {
        var seen = new HashSet<TState> { start };
        while (table.Rows.Where(r => seen.Contains(r.From)).Any(r => seen.Add(r.To)))
        {
        }

        return seen.Except([start]).Order();
    }

    private static string Repository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "IoT.Cep.sln")))
        {
            folder = folder.Parent!;
        }

        return folder.FullName;
    }
}
