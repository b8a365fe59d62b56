namespace IoT.Cep.Conformance;

/// <summary>Compares random cases with the reference, each straight and in another way of running.</summary>
internal sealed class Fuzzer(Reference reference)
{
    /// <summary>How many cases were compared.</summary>
    internal int Compared { get; private set; }

    /// <summary>How many the reference had nothing to say about: too many runs, or a case that it can't run.</summary>
    internal int Skipped { get; private set; }

    /// <summary>How many had at least one match.</summary>
    internal int Matching { get; private set; }

    /// <summary>Compares the case of a seed; gives what differs, shrunk, or null.</summary>
    internal string? Try(int seed)
    {
        var one = CaseGenerator.Make(seed);
        var expected = reference.Run(one);
        if (expected is null)
        {
            Skipped++;
            return null;
        }

        Compared++;
        Matching += expected.Matches.Count > 0 ? 1 : 0;
        foreach (var way in Ways(one, seed))
        {
            if (Verdict.Difference(expected, Dialects.Run(one, way)!) is null)
            {
                continue;
            }

            var smallest = Shrinker.Shrink(one, candidate => Difference(candidate, way) is not null);
            return $"{one.Id}, {way}: {Difference(smallest, way)}\n    {smallest.Json.ToJsonString()}";
        }

        return null;
    }

    private static IEnumerable<Way> Ways(Case one, int seed)
    {
        int events = one.Rows.Length;

        // Where its clock jumps, the reference ends all that is over by then before it skips anything; the library goes by the times themselves.
        bool wantsTimeouts = one.Skip == "none";
        yield return Way.Straight with { WantsTimeouts = wantsTimeouts && seed % 2 == 0 };
        yield return (seed % 8) switch
        {
            0 => new Way("saved and restored once") { RestoreAt = 1 + (seed / 8 % events), WantsTimeouts = wantsTimeouts },
            1 => new Way("saved and restored before each event") { RestoresAlways = true },
            _ => new Way("event by event") { IsOneByOne = true, WantsTimeouts = wantsTimeouts && seed % 4 == 0 },
        };
    }

    private string? Difference(Case one, Way way)
    {
        try
        {
            return reference.Run(one) is { } expected && Dialects.Run(one, way) is { } result && !Dialects.IsRefused(result) ? Verdict.Difference(expected, result) : null;
        }
        catch (Exception error) when (error is InvalidOperationException or NullReferenceException or KeyNotFoundException)
        {
            // The candidate is no case any more.
            return null;
        }
    }
}
