namespace IoT.Cep.Testing;

/// <summary>
/// The rules that every transport keeps (<see cref="Extensibility.ITransport"/>). Give them to your test framework one by one
/// (<see cref="Rules"/>, <see cref="CheckAsync"/>) or all at once (<see cref="CheckAllAsync"/>).
/// </summary>
public static partial class TransportContract
{
    private static readonly (string Rule, Func<TransportFixture, string, Task> Check)[] _checks =
    [
        ("The name is stable", NameIsStableAsync),
        ("Messages arrive whole and in order", ArriveInOrderAsync),
        ("Messages of every length arrive", ArriveInEveryLengthAsync),
        ("One message is handed over at a time", OneAtATimeAsync),
        ("An acknowledgement may come late and from any thread", AcknowledgeLateAsync),
        ("What is acknowledged does not come again, and what is not comes again", RedeliverAsync),
        ("A rejection can be told", RejectAsync),
        ("A receiver that waits holds the sender up", HoldUpAsync),
        ("The state of the connection is told", TellConnectionAsync),
        ("It connects again and goes on", ConnectAgainAsync),
        ("The clock spaces attempts to connect, by pauses that differ", SpaceAttemptsAsync),
        ("It stops within a bound, whatever it does", StopAsync),
        ("An exception of the receiver ends the run", LetOutAsync),
        ("Hostile topics and payloads do no harm", WithstandAsync),
    ];

    /// <summary>The rules, as sentences: use them as the data of a test.</summary>
    public static IReadOnlyList<string> Rules { get; } = [.. _checks.Select(c => c.Rule)];

    /// <summary>Tries one rule. A rule about what the fixture says its protocol can't do is passed over.</summary>
    /// <param name="rule">One of <see cref="Rules"/>.</param>
    /// <param name="fixture">Makes the fixture; it is disposed at the end.</param>
    /// <exception cref="ContractException">The rule is broken.</exception>
    public static async Task CheckAsync(string rule, Func<TransportFixture> fixture)
    {
        ArgumentNullException.ThrowIfNull(rule);
        ArgumentNullException.ThrowIfNull(fixture);
        var (_, check) = _checks.FirstOrDefault(c => c.Rule == rule);
        if (check is null)
        {
            throw new ArgumentException($"There is no rule '{rule}'; take one of TransportContract.Rules.", nameof(rule));
        }

        var made = fixture();
        await using (made.ConfigureAwait(false))
        {
            await check(made, rule).ConfigureAwait(false);
        }
    }

    /// <summary>Tries all rules, each with a fixture of its own.</summary>
    /// <param name="fixture">Makes a fixture.</param>
    /// <exception cref="ContractException">A rule is broken; the ones behind it were not tried.</exception>
    public static async Task CheckAllAsync(Func<TransportFixture> fixture)
    {
        foreach (string rule in Rules)
        {
            await CheckAsync(rule, fixture).ConfigureAwait(false);
        }
    }
}
