using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace IoT.Cep;

/// <summary>
/// Users and their passwords, in a text file of salted hashes: <c>new ListenerSecurity { Password = Passwords.FromFile("users.txt").Validate }</c>. A line is what
/// <see cref="Line"/> makes; empty ones and those with <c>#</c> in front are passed over. A changed file is read again within a second.
/// </summary>
/// <remarks>
/// Thread-safe. PBKDF2 with HMAC-SHA-512, one hash for an unknown user as well, compared in constant time. As many hashes are computed at once as there are processors, and a bounded
/// number waits; past that a client is refused. A password that was right is known again for five minutes by a keyed hash in memory, so that clients that all return at once, and HTTP
/// requests one after the other, cost no PBKDF2 each.
/// </remarks>
public sealed class Passwords : IDisposable
{
    /// <summary>What OWASP's password storage recommendations name for PBKDF2 with HMAC-SHA-512 (2023).</summary>
    private const int DefaultIterations = 210_000;

    /// <summary>Fewer protect no password; more hold a processor for seconds, once for each guess of a stranger.</summary>
    private const int MinIterations = 1_000, MaxIterations = 10_000_000;

    private const int SaltBytes = 16, HashBytes = 32;

    /// <summary>Longer ones are guesses at the server's patience.</summary>
    private const int MaxChars = 1_024;

    private const int MaxUsers = 1_000_000, MaxRemembered = 10_000;

    private static readonly TimeSpan _lookAgain = TimeSpan.FromSeconds(1), _remembered = TimeSpan.FromMinutes(5);

    private readonly string _path;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _processors = new(Environment.ProcessorCount);
    private readonly int _maxWaiting;
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);
    private readonly ConcurrentDictionary<string, (byte[] Hash, Entry Of, long Until)> _right = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private FrozenDictionary<string, Entry> _users;
    private Entry _nobody;
    private DateTime _written;
    private long _looked;
    private int _waiting;
    private long _refused;

    private Passwords(string path, TimeProvider time, int maxWaiting)
    {
        (_path, _time, _maxWaiting) = (path, time, maxWaiting);
        _written = File.GetLastWriteTimeUtc(path);
        _looked = time.GetTimestamp();
        _users = Read(path);
        _nobody = Nobody(_users);
    }

    /// <summary>Validations that were refused because too many waited.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Reads a file of users.</summary>
    /// <param name="path">The file.</param>
    /// <param name="timeProvider">The clock; null: the system's.</param>
    /// <param name="maxWaiting">How many clients may wait for their password's check. Default: 1,000.</param>
    /// <exception cref="InvalidDataException">A line is not one of <see cref="Line"/>; the message has its number and no secret.</exception>
    /// <exception cref="IOException">The file can't be read.</exception>
    public static Passwords FromFile(string path, TimeProvider? timeProvider = null, int maxWaiting = 1_000)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentOutOfRangeException.ThrowIfNegative(maxWaiting);
        return File.Exists(path) ? new Passwords(path, timeProvider ?? TimeProvider.System, maxWaiting) : throw new FileNotFoundException($"There is no file of passwords at {path}.", path);
    }

    /// <summary>Makes a line of the file: the name, what the hash was made with, and the hash.</summary>
    /// <param name="user">The user's name, without <c>:</c> and control characters.</param>
    /// <param name="password">The password.</param>
    /// <param name="speaksFor">The devices that it speaks for beside itself; <c>*</c> is all. None contains <c>,</c> or <c>:</c>.</param>
    /// <param name="iterations">How often PBKDF2 goes round: 210,000 takes about a tenth of a second, for you and for who guesses. A long random password of a device needs fewer.</param>
    public static string Line(string user, string password, IEnumerable<string>? speaksFor = null, int iterations = DefaultIterations)
    {
        ArgumentException.ThrowIfNullOrEmpty(user);
        ArgumentException.ThrowIfNullOrEmpty(password);
        ArgumentOutOfRangeException.ThrowIfLessThan(iterations, MinIterations);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(iterations, MaxIterations);
        string[] devices = [.. speaksFor ?? []];
        if (user[0] == '#' || user.Any(static c => c == ':' || char.IsControl(c)) || devices.Any(static d => d.Length == 0 || d.Any(static c => c is ':' or ',' || char.IsControl(c))))
        {
            throw new ArgumentException("A user's or device's name must not be empty, begin with '#', or contain ':', ',' or control characters.", nameof(user));
        }

        byte[] salt = RandomNumberGenerator.GetBytes(SaltBytes);
        byte[] hash = Rfc2898DeriveBytes.Pbkdf2(password, salt, iterations, HashAlgorithmName.SHA512, HashBytes);
        return string.Create(CultureInfo.InvariantCulture,
            $"{user}:pbkdf2-sha512:{iterations}:{Convert.ToBase64String(salt)}:{Convert.ToBase64String(hash)}:{string.Join(',', devices)}");
    }

    /// <summary>Knows a user by name and password; for <see cref="ListenerSecurity.Password"/>.</summary>
    /// <param name="user">The name: text from the network.</param>
    /// <param name="password">The password: text from the network.</param>
    /// <returns>Null for an unknown user, a wrong password, or too many that wait.</returns>
    public async ValueTask<Identity?> Validate(string user, string password)
    {
        ArgumentNullException.ThrowIfNull(user);
        ArgumentNullException.ThrowIfNull(password);
        if (user.Length > MaxChars || password.Length > MaxChars)
        {
            return null;
        }

        ReadAgain();
        bool isKnown = _users.TryGetValue(user, out var entry);
        byte[] quick = HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes(user + '\0' + password));
        if (isKnown && _right.TryGetValue(user, out var right) && ReferenceEquals(right.Of, entry) && _time.GetTimestamp() < right.Until
            && CryptographicOperations.FixedTimeEquals(right.Hash, quick))
        {
            return entry!.Identity;
        }

        if (!await HashAsync(entry ?? _nobody, password).ConfigureAwait(false) || !isKnown)
        {
            return null;
        }

        if (_right.Count >= MaxRemembered)
        {
            _right.Clear();
        }

        _right[user] = (quick, entry!, _time.GetTimestamp() + (long)(_remembered.TotalSeconds * _time.TimestampFrequency));
        return entry!.Identity;
    }

    /// <summary>Gives up what bounds the work; nobody may validate any more.</summary>
    public void Dispose() => _processors.Dispose();

    private async ValueTask<bool> HashAsync(Entry entry, string password)
    {
        if (Interlocked.Increment(ref _waiting) > _maxWaiting + Environment.ProcessorCount)
        {
            Interlocked.Decrement(ref _waiting);
            Interlocked.Increment(ref _refused);
            return false;
        }

        await _processors.WaitAsync().ConfigureAwait(false);
        try
        {
            // On a pool thread of its own: who asks may be reading a socket.
            return await Task.Run(() => entry.Matches(password)).ConfigureAwait(false);
        }
        finally
        {
            _processors.Release();
            Interlocked.Decrement(ref _waiting);
        }
    }

    private void ReadAgain()
    {
        long now = _time.GetTimestamp();
        if (now - Volatile.Read(ref _looked) < _lookAgain.TotalSeconds * _time.TimestampFrequency)
        {
            return;
        }

        lock (_gate)
        {
            Volatile.Write(ref _looked, now);
            try
            {
                var written = File.GetLastWriteTimeUtc(_path);
                if (written == _written)
                {
                    return;
                }

                _users = Read(_path);
                _nobody = Nobody(_users);
                _written = written;
                _right.Clear();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
            {
                // Half written, or just being replaced: what was read before holds, and the next look is in a second.
            }
        }
    }

    private static FrozenDictionary<string, Entry> Read(string path)
    {
        var users = new Dictionary<string, Entry>(StringComparer.Ordinal);
        int number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line) || line.StartsWith('#'))
            {
                continue;
            }

            var entry = Entry.Parse(line) ?? throw new InvalidDataException($"{path}, line {number}: not a line of Passwords.Line.");
            if (!users.TryAdd(entry.Identity.Name, entry))
            {
                throw new InvalidDataException($"{path}, line {number}: the user stands there twice.");
            }

            if (users.Count > MaxUsers)
            {
                throw new InvalidDataException($"{path} has more than {MaxUsers} users.");
            }
        }

        return users.ToFrozenDictionary(StringComparer.Ordinal);
    }

    // As slow as the others, so that time does not tell which users there are.
    private static Entry Nobody(FrozenDictionary<string, Entry> users) => new(
        Identity.Anonymous, users.Count == 0 ? DefaultIterations : users.Values.Max(static e => e.Iterations), RandomNumberGenerator.GetBytes(SaltBytes), RandomNumberGenerator.GetBytes(HashBytes));

    private sealed class Entry(Identity identity, int iterations, byte[] salt, byte[] hash)
    {
        internal Identity Identity => identity;

        internal int Iterations => iterations;

        internal static Entry? Parse(string line)
        {
            string[] parts = line.Split(':');
            if (parts.Length != 6 || parts[0].Length == 0 || parts[1] != "pbkdf2-sha512"
                || !int.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out int iterations) || iterations is < MinIterations or > MaxIterations)
            {
                return null;
            }

            byte[] salt = new byte[SaltBytes + 1], hash = new byte[HashBytes + 1];
            return Convert.TryFromBase64String(parts[3], salt, out int saltLength) && saltLength == SaltBytes
                && Convert.TryFromBase64String(parts[4], hash, out int hashLength) && hashLength == HashBytes
                ? new Entry(new Identity(parts[0], AuthenticationMethod.Password, parts[5].Split(',', StringSplitOptions.RemoveEmptyEntries)), iterations, salt[..SaltBytes], hash[..HashBytes])
                : null;
        }

        internal bool Matches(string password)
        {
            Span<byte> computed = stackalloc byte[HashBytes];
            Rfc2898DeriveBytes.Pbkdf2(password, salt, computed, iterations, HashAlgorithmName.SHA512);
            return CryptographicOperations.FixedTimeEquals(computed, hash);
        }
    }
}
