using System.Collections.Concurrent;

namespace IoT.Reference.Identity;

/// <summary>
/// Wrong secrets in a row, for the audit: every tenth of a name is told. Nobody is locked out by them. A secret of 256 random bits can't be guessed however often one tries, and strangers could
/// otherwise keep a device away by trying in its name.
/// </summary>
internal sealed class WrongSecrets(Action<string> tell)
{
    private const int TellEvery = 10, MaxNames = 10_000;

    private readonly ConcurrentDictionary<string, int> _names = new(StringComparer.Ordinal);

    internal void Count(string name, bool isRight)
    {
        if (isRight)
        {
            _names.TryRemove(name, out _);
            return;
        }

        if (_names.Count >= MaxNames)
        {
            _names.Clear();
        }

        if (_names.AddOrUpdate(name, 1, static (_, count) => count + 1) % TellEvery == 0)
        {
            tell(name);
        }
    }
}
