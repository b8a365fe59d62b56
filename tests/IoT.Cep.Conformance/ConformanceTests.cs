namespace IoT.Cep.Conformance;

/// <summary>The cases of a folder that we did not write, and random ones against its reference.</summary>
public sealed class ConformanceTests
{
    private const int FuzzedCases = 2_000;

    /// <summary>Fixed, so that a failure is the same failure for everybody; the console takes others.</summary>
    private const int FirstSeed = 1;

    [CasesFact]
    public void Every_case_passes() => AssertPasses(_ => [Way.Straight]);

    [CasesFact]
    public void Every_case_passes_event_by_event() => AssertPasses(_ => [new Way("event by event") { IsOneByOne = true }]);

    [CasesFact]
    public void Every_case_passes_saved_and_restored_before_each_event() => AssertPasses(_ => [new Way("saved and restored before each event") { RestoresAlways = true }]);

    [CasesFact]
    public void Order_of_arrival_within_the_disorder_makes_no_difference() => AssertPasses(one =>
        one.Rows.Select(row => row.Ms).Distinct().Count() < one.Rows.Length
            ? []
            : [.. Enumerable.Range(1, 3).Select(seed => new Way($"shuffled by {seed}") { ShuffleSeed = seed, IsOneByOne = true })]);

    [CasesFact]
    public void Each_of_several_keys_has_the_matches_of_one()
    {
        foreach (var one in Cases())
        {
            if (Dialects.Run(one, Way.Straight) is not { Error: null } alone)
            {
                continue;
            }

            for (int shards = 1; shards <= 3; shards += 2)
            {
                var result = Dialects.Run(one, new Way("three keys") { Keys = 3, Shards = shards })!;
                Assert.True(result.Error is null, $"{one.Id}: {result.Error}");
                Assert.Equal(alone.Live * 3, result.Live);
                for (int key = 0; key < 3; key++)
                {
                    string mark = $"#{key}";
                    var own = result.Matches.Where(match => match.Ids[0].EndsWith(mark, StringComparison.Ordinal)).Select(match => $"{match}".Replace(mark, "", StringComparison.Ordinal));
                    Assert.Equal(alone.Matches.Select(match => $"{match}").Order(StringComparer.Ordinal), own.Order(StringComparer.Ordinal));
                }
            }
        }
    }

    [ReferenceFact]
    public void Random_cases_are_as_the_reference_has_them()
    {
        using var reference = new Reference(Needs.Cases);
        var fuzzer = new Fuzzer(reference);
        for (int seed = FirstSeed; seed < FirstSeed + FuzzedCases; seed++)
        {
            string? difference = fuzzer.Try(seed);
            Assert.True(difference is null, difference);
        }

        Assert.True(fuzzer.Compared > FuzzedCases * 9 / 10, $"Only {fuzzer.Compared} were compared.");
        Assert.True(fuzzer.Matching > fuzzer.Compared / 4, $"Only {fuzzer.Matching} had a match.");
    }

    private static void AssertPasses(Func<Case, Way[]> waysOf)
    {
        var failures = new List<string>();
        foreach (var one in Cases())
        {
            foreach (var way in waysOf(one))
            {
                if (Dialects.Run(one, way) is { } result && Verdict.Of(one, result) is { Count: > 0 } complaints)
                {
                    failures.Add($"{one.Id}, {way}: {string.Join("; ", complaints)}");
                }
            }
        }

        Assert.True(failures.Count == 0, string.Join("\n", failures));
    }

    private static IEnumerable<Case> Cases() => Directory.EnumerateFiles(Needs.Cases, "*.json").Order(StringComparer.Ordinal).SelectMany(Case.Read);
}
