namespace Quickstart;

/// <summary>Reads sensors' places from a text file.</summary>
public static class Places
{
    /// <summary>Reads <c>sensor:building,kind</c>, one to a line.</summary>
    /// <exception cref="InvalidDataException">A line has another form; the message names its number.</exception>
    public static Dictionary<string, Place> Read(string file)
    {
        var rows = new Dictionary<string, Place>(StringComparer.Ordinal);
        int number = 0;
        foreach (string line in File.ReadLines(file))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            // The last colon: a sensor's name may be an address with colons of its own.
            int colon = line.LastIndexOf(':');
            if (colon < 1 || line[(colon + 1)..].Split(',') is not [{ Length: > 0 } building, { Length: > 0 } kind])
            {
                throw new InvalidDataException($"{file}, line {number}: expected sensor:building,kind.");
            }

            rows[line[..colon].Trim()] = new Place(building.Trim(), kind.Trim());
        }

        return rows;
    }
}
