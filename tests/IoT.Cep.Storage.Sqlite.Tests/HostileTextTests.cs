using System.Text;
using IoT.Cep.Extensibility;

namespace IoT.Cep.Tests;

public sealed class HostileTextTests : IDisposable
{
    private readonly SqliteFile _file = new();

    public static TheoryData<string, string> Texts => new()
    {
        { "'; DROP TABLE texts; --", "'; DROP TABLE texts; --" },
        { "\"); DELETE FROM texts; --", "\"); DELETE FROM texts; --" },
        { "?1 :a @b $c", "?1 :a @b $c" },
        { "", "" },
        { "\0", "\0" },
        { "a\0'; DROP TABLE texts; --", "a\0'; DROP TABLE texts; --" },
        { "\u0001\u001b[2J\r\n\u007f\u0085\u202e", "\u0001\u001b[2J\r\n\u007f\u0085\u202e" },
        { "\ud83d\ude00", "\ud83d\ude00" },
        { "\ud800", "\ufffd" },
        { "a\ude00b", "a\ufffdb" },
        { "\uffff\ufeff", "\uffff\ufeff" },
        { new string('€', 342), new string('€', 342) },
        { new string('x', 1 << 20), new string('x', 1 << 20) },
    };

    public void Dispose() => _file.Dispose();

    [Theory]
    [MemberData(nameof(Texts), DisableDiscoveryEnumeration = true)]
    public async Task Text_is_data_and_nothing_else(string text, string stored)
    {
        await _file.WriteAsync(Sqlite.Table<Sum>("texts"), SqliteFile.Batch(new Sum(text, 1)));
        Assert.Equal(stored, Encoding.UTF8.GetString((byte[])_file.Scalar("SELECT CAST(sensor AS BLOB) FROM texts")!));
        Assert.Equal("text", _file.Scalar("SELECT typeof(sensor) FROM texts"));
    }

    [Theory]
    [InlineData("'; DROP TABLE texts; --")]
    [InlineData("a\0b")]
    [InlineData("\u001b[2J")]
    public async Task So_is_a_key(string key)
    {
        var batch = SqliteFile.Batch((new ResultId(key, 0, 0, 0), new Sum(key, 1)), (new ResultId(key + "\0", 0, 0, 0), new Sum(key, 2)));
        await _file.WriteAsync(Sqlite.Table<Sum>("texts"), batch, batch);
        Assert.Equal(2L, _file.Scalar("SELECT count(*) FROM texts"));
        Assert.Equal(key, Encoding.UTF8.GetString((byte[])_file.Scalar("SELECT CAST(_key AS BLOB) FROM texts WHERE total = 1")!));
    }

    [Theory]
    [InlineData("texts'; DROP TABLE x; --")]
    [InlineData("a\"b")]
    [InlineData("order")]
    [InlineData("tab\tle ä ]")]
    public async Task So_are_names_of_tables_and_columns(string name)
    {
        var sink = Sqlite.Table<int>(name, c => c.Add(name, x => x));
        await _file.WriteAsync(sink, SqliteFile.Batch(1));
        await _file.WriteAsync(sink, SqliteFile.Batch(2));
        await _file.WriteAsync(Sqlite.Table<int>(name + "2", c => c.Add(name, x => x)), SqliteFile.Batch((new ResultId("a", 0, 0, 0), 3)));
        Assert.Equal([[name], [name + "2"]], _file.Query("SELECT name FROM sqlite_master WHERE type = 'table'"));
        Assert.DoesNotContain('\u001b', Sqlite.Table<int>("\u001b[2J", c => c.Add(name, x => x)).Name);
    }
}
