using System.Text.Json;
using IoT.Reference.Contracts;
using Microsoft.Data.Sqlite;

namespace IoT.Reference.DeviceManager.Storage;

/// <summary>How values and rows are read.</summary>
internal static class Rows
{
    public const string Device = "id, type, state, owner, grp, gateway, software, created, seen, online, sleeps, latitude, longitude, attributes";
    public const string Command = "id, device, name, arguments, state, by_whom, reason, created, expires, changed, detail, result, trace";

    public static string? Text(this SqliteDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    public static DateTimeOffset Time(this SqliteDataReader row, int column) => DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(column));

    public static DateTimeOffset? TimeOrNull(this SqliteDataReader row, int column) => row.IsDBNull(column) ? null : row.Time(column);

    public static JsonElement? Json(this SqliteDataReader row, int column) => row.Text(column) is { } text ? Parse(text) : null;

    public static JsonElement Parse(string text) => JsonSerializer.Deserialize(text, WireJson.Default.JsonElement);

    public static DeviceRecord ReadDevice(SqliteDataReader row) => new(
        row.GetString(0), row.GetString(1), (DeviceState)row.GetInt32(2), row.Text(3), row.Text(4), row.Text(5), row.Text(6), row.Time(7), row.TimeOrNull(8),
        !row.IsDBNull(9) && row.GetInt32(9) == 1, row.IsDBNull(10) ? null : TimeSpan.FromMilliseconds(row.GetInt64(10)), row.IsDBNull(11) ? null : row.GetDouble(11),
        row.IsDBNull(12) ? null : row.GetDouble(12), row.Text(13) is { } text ? JsonSerializer.Deserialize(text, WireJson.Default.DictionaryStringString) : null);

    /// <summary>A command; new secrets of devices are shown to nobody.</summary>
    public static CommandRecord ReadCommand(SqliteDataReader row) => new(
        row.GetString(0), row.GetString(1), row.GetString(2), row.GetString(2) == CommandNames.RotateCredential ? null : row.Json(3), (CommandState)row.GetInt32(4), row.GetString(5),
        row.Text(6), row.Time(7), row.Time(8), row.TimeOrNull(9), row.Text(10), row.Json(11));

    /// <summary>The same as the device gets it.</summary>
    public static DeviceCommand ReadForDevice(SqliteDataReader row) => new(
        row.GetString(0), row.GetString(1), row.GetString(2), row.Json(3), row.Time(7), row.Time(8), row.Text(12));

    public static AuditEntry ReadAudit(SqliteDataReader row) => new(
        row.Time(0), AuditLog.Layer, row.GetString(1), row.GetString(2), row.GetString(3), row.GetString(4), row.Text(5), row.Text(6));

    public static Ownership ReadOwnership(SqliteDataReader row) => new(row.GetString(0), row.GetString(1), row.Time(2), row.TimeOrNull(3), row.GetString(4));
}
