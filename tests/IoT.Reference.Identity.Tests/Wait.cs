namespace IoT.Reference.Access;

internal static class Wait
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30), _pause = TimeSpan.FromMilliseconds(5);

    /// <summary>Waits for what can be observed.</summary>
    internal static Task Until(Func<bool> isSo) => Until(() => Task.FromResult(isSo()));

    internal static async Task Until(Func<Task<bool>> isSo)
    {
        long from = TimeProvider.System.GetTimestamp();
        while (!await isSo())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(from) < _patience, "It did not come to pass.");
            await Task.Delay(_pause, TimeProvider.System);
        }
    }
}
