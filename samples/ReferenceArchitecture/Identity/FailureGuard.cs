using System.Collections.Concurrent;

namespace IoT.Reference.Identity;

/// <summary>
/// Wrong secrets in a row: after ten a name rests for ten seconds. A secret of 256 random bits can't be guessed; this keeps a device with an old secret from knocking all day, and does not let
/// strangers lock a device out for long.
/// </summary>
internal sealed class FailureGuard(TimeProvider time, Action<string> onRest)
{
    private const int MaxInARow = 10, MaxNames = 10_000;

    private static readonly TimeSpan _rest = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, (int Failures, DateTimeOffset Until)> _names = new(StringComparer.Ordinal);

    internal bool MayTry(string name) => !_names.TryGetValue(name, out var state) || state.Until <= time.GetUtcNow();

    internal void Tell(string name, bool isRight)
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

        var now = _names.AddOrUpdate(name, (1, default), (_, s) => s.Failures + 1 >= MaxInARow ? (0, time.GetUtcNow() + _rest) : (s.Failures + 1, default));
        if (now.Until != default)
        {
            onRest(name);
        }
    }
}
