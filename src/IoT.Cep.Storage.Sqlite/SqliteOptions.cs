using System.Globalization;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>When SQLite tells the disk to keep what was written.</summary>
public enum SqliteSynchronous
{
    /// <summary>
    /// The write-ahead log is synchronized only at checkpoints: a crash of the process loses nothing, a power loss can take
    /// the last batches although they were acknowledged. The file stays intact.
    /// </summary>
    Normal,

    /// <summary>Every batch is on the disk before it is acknowledged.</summary>
    Full,
}

/// <summary>How a SQLite file is written.</summary>
public sealed record SqliteOptions
{
    private TimeSpan _busyTimeout = TimeSpan.FromSeconds(1);
    private long? _maxFileBytes;

    /// <summary>Options with their defaults.</summary>
    /// <param name="file">The file; a relative path is taken from the current directory now.</param>
    /// <exception cref="ArgumentException">The file is empty or <c>:memory:</c>.</exception>
    public SqliteOptions(string file)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(file);
        if (string.Equals(file, ":memory:", StringComparison.OrdinalIgnoreCase))
        {
            throw new ArgumentException("':memory:' is no file, and results in it would not be durable. Give a file's path.", nameof(file));
        }

        File = Path.GetFullPath(file);
    }

    /// <summary>The file's full path.</summary>
    public string File { get; }

    /// <summary>When the disk must have a batch; default <see cref="SqliteSynchronous.Full"/>, so that "acknowledged" means "on the disk".</summary>
    public SqliteSynchronous Synchronous { get; set; } = SqliteSynchronous.Full;

    /// <summary>
    /// Whether the file uses a write-ahead log; default true: readers and the writer do not wait for each other, and a batch costs one
    /// synchronization instead of several. False for a file on a network share, which can't have one.
    /// </summary>
    public bool WriteAheadLog { get; set; } = true;

    /// <summary>
    /// How long one attempt waits where another connection holds the write lock; default 1 s. It holds up a thread; the engine tries
    /// the batch again anyway, so a longer time gains little.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative or more than a minute.</exception>
    public TimeSpan BusyTimeout
    {
        get => _busyTimeout;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.Zero);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, TimeSpan.FromMinutes(1));
            _busyTimeout = value;
        }
    }

    /// <summary>
    /// How large the file may become; default null, no limit but the disk. At the limit batches fail and are tried again until rows were
    /// deleted. The write-ahead log comes on top: some MB, more while a reader keeps a transaction open.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is less than 64 KiB.</exception>
    public long? MaxFileBytes
    {
        get => _maxFileBytes;
        set
        {
            if (value is { } bytes)
            {
                // SQLite keeps a few pages for its own tables; below this nothing fits.
                ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 64 * 1024);
            }

            _maxFileBytes = value;
        }
    }

    /// <summary>The options that were set for a connection, else the host's configuration, else an error that says what to do.</summary>
    internal static SqliteOptions Of(Connections connections, string name)
    {
        if (connections.Find<SqliteOptions>(name) is { } options)
        {
            return options;
        }

        var section = connections.Section("Sqlite", name);
        if (section?["File"] is not { Length: > 0 } file)
        {
            string call = name == Connections.Default ? "cep.Sqlite(file)" : $"cep.Sqlite(file, name: \"{name}\")";
            throw new InvalidOperationException(
                $"The SQLite connection '{name}' has no file. Call {call}, or set IoT.Cep:Sqlite:{name}:File in the configuration.");
        }

        options = new SqliteOptions(file);
        try
        {
            options.Synchronous = section["Synchronous"] is { Length: > 0 } s ? Enum.Parse<SqliteSynchronous>(s, ignoreCase: true) : options.Synchronous;
            options.WriteAheadLog = section["WriteAheadLog"] is { Length: > 0 } w ? bool.Parse(w) : options.WriteAheadLog;
            options.BusyTimeout = section["BusyTimeout"] is { Length: > 0 } b ? TimeSpan.Parse(b, CultureInfo.InvariantCulture) : options.BusyTimeout;
            options.MaxFileBytes = section["MaxFileBytes"] is { Length: > 0 } m ? long.Parse(m, CultureInfo.InvariantCulture) : options.MaxFileBytes;
        }
        catch (Exception error) when (error is FormatException or ArgumentException or OverflowException)
        {
            throw new InvalidOperationException($"The configuration IoT.Cep:Sqlite:{name} has a value that can't be used: {error.Message}", error);
        }

        return options;
    }
}
