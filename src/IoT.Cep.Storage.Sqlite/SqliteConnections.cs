using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Names the SQLite files that <see cref="IoT.Cep.Sqlite"/>'s tables are in.</summary>
public static class SqliteConnections
{
    /// <summary>
    /// Sets the file of a connection. Without this call the host's configuration decides: <c>IoT.Cep:Sqlite:default:File</c>.
    /// All tables of one file share one writing connection.
    /// </summary>
    /// <param name="cep">Where queries are declared.</param>
    /// <param name="file">The file, created where it does not exist; its folder must exist. A relative path is taken from the current directory now.</param>
    /// <param name="configure">Changes the defaults.</param>
    /// <param name="name">The connection's name; <c>Sqlite.Table</c> uses <c>default</c> where none is given.</param>
    /// <returns>The same <paramref name="cep"/>.</returns>
    /// <exception cref="ArgumentException">The file is empty or <c>:memory:</c>, which would not be durable.</exception>
    public static ICep Sqlite(this ICep cep, string file, Action<SqliteOptions>? configure = null, string name = Connections.Default)
    {
        ArgumentNullException.ThrowIfNull(cep);
        ArgumentException.ThrowIfNullOrEmpty(name);
        var options = new SqliteOptions(file);
        configure?.Invoke(options);
        cep.Connections.Set(options, name);
        return cep;
    }
}
