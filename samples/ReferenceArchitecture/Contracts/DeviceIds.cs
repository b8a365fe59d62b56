namespace IoT.Reference.Contracts;

/// <summary>What a device may be called: 1 to 64 of <c>a-z</c>, <c>0-9</c> and <c>-</c>, not beginning with <c>-</c>.</summary>
public static class DeviceIds
{
    /// <summary>The most characters.</summary>
    public const int MaxLength = 64;

    /// <summary>Whether a text may be a device's id.</summary>
    /// <param name="id">The text.</param>
    public static bool IsValid(ReadOnlySpan<char> id)
    {
        if (id.Length is 0 or > MaxLength || id[0] == '-')
        {
            return false;
        }

        foreach (char c in id)
        {
            if (!char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c != '-')
            {
                return false;
            }
        }

        return true;
    }
}
