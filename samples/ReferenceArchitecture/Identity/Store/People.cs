using System.Globalization;
using System.Security.Cryptography;

namespace IoT.Reference.Identity.Store;

/// <summary>A person with an account.</summary>
internal sealed record Person(string Id, string Name, IReadOnlyList<string> Roles, DateTimeOffset Created);

/// <summary>What became of a log-in.</summary>
internal enum LoginOutcome
{
    Wrong,
    Right,

    /// <summary>Too many wrong ones before; nothing was looked at.</summary>
    Locked,
}

/// <summary>
/// People and their passwords. People choose words that can be guessed, so a password is hashed slowly: PBKDF2 with HMAC-SHA-512, 210,000 rounds (OWASP, 2023). An unknown name costs the same.
/// </summary>
internal sealed class People(Database database, IdentityOptions options) : IDisposable
{
    internal const int MinPasswordChars = 10, MaxPasswordChars = 256;

    private const int Rounds = 210_000, SaltBytes = 16, HashBytes = 32, MaxPeople = 100_000;

    private static readonly string _nobody = Hash("nobody has this password");

    // As many hashes at once as there are processors: guesses must not keep all else waiting.
    private readonly SemaphoreSlim _processors = new(Math.Max(1, Environment.ProcessorCount / 2));

    internal Person? Find(string id) => Read("select id, name, roles, created from people where id = $id", ("$id", id)).FirstOrDefault();

    internal List<Person> List(string? after, int limit) =>
        Read("select id, name, roles, created from people where id > $after order by id limit $limit", ("$after", after ?? ""), ("$limit", limit));

    /// <exception cref="InvalidOperationException">There is one of that name, or no room.</exception>
    internal void Add(string id, string name, IReadOnlyList<string> roles, string password)
    {
        string hash = Hash(password);
        bool isFull = database.Query("select count(*) from people", static r => r.GetInt64(0))[0] >= MaxPeople;
        if (isFull || database.Execute(
            "insert or ignore into people values($id, $name, $roles, $password, 0, 0, $now)",
            ("$id", id), ("$name", name), ("$roles", string.Join(' ', roles)), ("$password", hash), ("$now", options.TimeProvider.GetUtcNow().ToUnixTimeMilliseconds())) == 0)
        {
            throw new InvalidOperationException(isFull ? "There is no room for more people." : "There is one of that name.");
        }
    }

    internal void SetPassword(string id, string password) =>
        database.Execute("update people set password = $password, failures = 0, locked_until = 0 where id = $id", ("$password", Hash(password)), ("$id", id));

    internal void SetRoles(string id, IReadOnlyList<string> roles) => database.Execute("update people set roles = $roles where id = $id", ("$roles", string.Join(' ', roles)), ("$id", id));

    /// <summary>Whether the password is right. Wrong ones are counted before they are looked at, so that many at once count as many.</summary>
    internal async Task<LoginOutcome> LogInAsync(string id, string password)
    {
        if (id.Length > 64 || password.Length > MaxPasswordChars)
        {
            return LoginOutcome.Wrong;
        }

        var now = options.TimeProvider.GetUtcNow();
        var row = database.Query("select password, failures, locked_until from people where id = $id", static r => (Hash: r.GetString(0), Failures: r.GetInt32(1), Until: r.Time(2)), ("$id", id));
        if (row is [{ } found] && found.Until > now)
        {
            return LoginOutcome.Locked;
        }

        if (row.Count > 0)
        {
            database.Execute(
                "update people set failures = case when failures + 1 >= $max then 0 else failures + 1 end, locked_until = case when failures + 1 >= $max then $until else 0 end where id = $id",
                ("$max", options.MaxFailures), ("$until", (now + options.LockoutTime).ToUnixTimeMilliseconds()), ("$id", id));
        }

        bool isRight = await MatchesAsync(row.Count > 0 ? row[0].Hash : _nobody, password) && row.Count > 0;
        if (isRight)
        {
            database.Execute("update people set failures = 0, locked_until = 0 where id = $id", ("$id", id));
            return LoginOutcome.Right;
        }

        return row is [{ } wrong] && wrong.Failures + 1 >= options.MaxFailures ? LoginOutcome.Locked : LoginOutcome.Wrong;
    }

    /// <summary>120 bits of chance: 24 letters and digits that can't be mistaken for each other.</summary>
    internal static string RandomPassword() => RandomNumberGenerator.GetString("abcdefghijkmnpqrstuvwxyz23456789", 24);

    public void Dispose() => _processors.Dispose();

    private List<Person> Read(string sql, params ReadOnlySpan<(string, object?)> values) =>
        database.Query(sql, static r => new Person(r.GetString(0), r.GetString(1), Rows.Words(r.Text(2)), r.Time(3)), values);

    private async Task<bool> MatchesAsync(string stored, string password)
    {
        await _processors.WaitAsync();
        try
        {
            return await Task.Run(() => Matches(stored, password));
        }
        finally
        {
            _processors.Release();
        }
    }

    private static string Hash(string password)
    {
        byte[] salt = RandomNumberGenerator.GetBytes(SaltBytes);
        byte[] hash = Rfc2898DeriveBytes.Pbkdf2(password, salt, Rounds, HashAlgorithmName.SHA512, HashBytes);
        return string.Create(CultureInfo.InvariantCulture, $"pbkdf2-sha512:{Rounds}:{Convert.ToBase64String(salt)}:{Convert.ToBase64String(hash)}");
    }

    private static bool Matches(string stored, string password)
    {
        string[] parts = stored.Split(':');
        byte[] hash = Rfc2898DeriveBytes.Pbkdf2(password, Convert.FromBase64String(parts[2]), int.Parse(parts[1], CultureInfo.InvariantCulture), HashAlgorithmName.SHA512, HashBytes);
        return CryptographicOperations.FixedTimeEquals(hash, Convert.FromBase64String(parts[3]));
    }
}
