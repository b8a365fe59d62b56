using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Quickstart;

/// <summary>A recorded file whose lines are published as they are, flaws included.</summary>
public sealed class Recording
{
    // The broker takes 1 MiB; a line that long is not a reading.
    private const int MaxLineBytes = 1 << 18;

    private readonly string _file;
    private readonly bool _isCity;

    private Recording(string file, bool isCity)
    {
        _file = file;
        _isCity = isCity;
    }

    /// <summary>What the queries are set to for this recording.</summary>
    public Tuning Tuning => _isCity ? Tuning.City : Tuning.Machine;

    /// <summary>The sensor of rows that name none: the file's name.</summary>
    public string Sensor => Path.GetFileNameWithoutExtension(_file);

    /// <summary>Looks at the first line to tell which of the two formats the file has.</summary>
    /// <exception cref="InvalidDataException">It has neither.</exception>
    public static Recording Open(string file)
    {
        string first = File.ReadLines(file).FirstOrDefault("").TrimStart('\uFEFF');
        if (first.Split(',') is [var time, var value] && time.Trim() == "timestamp" && value.Trim() == "value")
        {
            return new Recording(file, isCity: false);
        }

        return TrySplit(first, out _, out string payload) && payload.StartsWith('{')
            ? new Recording(file, isCity: true)
            : throw new InvalidDataException(
                $"{file}: the first line is neither the header 'timestamp,value' nor '<milliseconds since 1970>,<SenML>'.");
    }

    /// <summary>The file's readings in the file's order.</summary>
    /// <param name="speed">How many times faster than they were recorded; null: as fast as they are accepted.</param>
    /// <exception cref="InvalidDataException">A line is longer than any reading.</exception>
    public IEnumerable<Message> Messages(double? speed)
    {
        DateTimeOffset? start = null;
        int number = 0;
        foreach (string line in File.ReadLines(_file))
        {
            number++;
            if (line.Length == 0 || (number == 1 && !_isCity))
            {
                continue;
            }

            byte[] payload = Encoding.UTF8.GetBytes(_isCity && TrySplit(line, out _, out string senMl) ? senMl : line);
            if (payload.Length > MaxLineBytes)
            {
                throw new InvalidDataException($"{_file}, line {number}: {payload.Length:N0} bytes are no reading; the limit is {MaxLineBytes:N0}.");
            }

            var time = TimeOf(line);
            start ??= time;
            var due = speed is null || time is null ? TimeSpan.Zero : (time.Value - start!.Value) / speed.Value;
            yield return new Message(_isCity ? Message.TopicOf(SensorOf(payload, number), "senml") : Message.TopicOf(Sensor, "csv"), payload, due);
        }
    }

    private static bool TrySplit(string line, out long milliseconds, out string payload)
    {
        int comma = line.IndexOf(',', StringComparison.Ordinal);
        payload = line[(comma + 1)..];
        milliseconds = 0;
        return comma > 0 && long.TryParse(line.AsSpan(0, comma), NumberStyles.None, CultureInfo.InvariantCulture, out milliseconds);
    }

    // Only for the pace: the library reads the time from the payload.
    private DateTimeOffset? TimeOf(string line)
    {
        if (_isCity)
        {
            // The last millisecond that DateTimeOffset can hold.
            const long Latest = 253_402_300_799_999;
            return TrySplit(line, out long milliseconds, out _) && milliseconds <= Latest ? DateTimeOffset.FromUnixTimeMilliseconds(milliseconds) : null;
        }

        return DateTimeOffset.TryParse(line.Split(',')[0], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;
    }

    // Only for the topic: the library reads the sensor from the payload. A line that can't be read is published all the same.
    private static string SensorOf(byte[] payload, int number)
    {
        try
        {
            using var json = JsonDocument.Parse(payload);
            foreach (var record in json.RootElement.GetProperty("e").EnumerateArray())
            {
                if (record.GetProperty("n").ValueEquals("source"))
                {
                    return record.GetProperty("sv").GetString() ?? "";
                }
            }
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException)
        {
        }

        return string.Create(CultureInfo.InvariantCulture, $"line-{number}");
    }
}
