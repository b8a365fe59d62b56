using System.Text.Json;
using System.Threading.Channels;

using IoT.Reference.Analytics.Rules;
using IoT.Reference.Contracts;
using IoT.Reference.Observability;

namespace IoT.Reference.Analytics.Commands;

/// <summary>Asks the interlock, sends what it lets through to the device manager, and audits all of it. At most 1,000 wait; one more is refused.</summary>
internal sealed class CommandSender(Interlock interlock, HttpClient? manager, Action<AuditEntry> audit, TimeProvider clock)
{
    private readonly Channel<CommandWish> _waiting = Channel.CreateBounded<CommandWish>(1_000);
    private long _sent;

    /// <summary>Commands that the device manager took.</summary>
    public long Sent => Volatile.Read(ref _sent);

    /// <summary>A rule wants something. Does not block.</summary>
    public void Want(CommandWish wish)
    {
        if (!_waiting.Writer.TryWrite(wish))
        {
            Audit(wish, "refused", "too many commands wait");
        }
    }

    public async Task RunAsync(CancellationToken stop)
    {
        await foreach (var wish in _waiting.Reader.ReadAllAsync(stop))
        {
            var answer = interlock.Ask(wish);
            switch (answer.Verdict)
            {
                case Verdict.Send:
                    await SendAsync(wish, stop);
                    break;
                case Verdict.Simulate:
                    Audit(wish, "simulated", answer.Reason);
                    break;
                case Verdict.Wait:
                    Audit(wish, "waiting", answer.Reason);
                    break;
                default:
                    Audit(wish, "refused", answer.Reason);
                    break;
            }
        }
    }

    private async Task SendAsync(CommandWish wish, CancellationToken stop)
    {
        if (manager is null)
        {
            Audit(wish, "failed", "there is no device manager");
            return;
        }

        using var span = ReferenceTelemetry.Continue("command " + wish.Output, System.Diagnostics.ActivityKind.Client, wish.Trace);
        try
        {
            var request = new CommandRequest(CommandNames.Set, Arguments(wish), interlock.Settings.TimeToLive, "rule " + wish.Rule, span?.Id ?? wish.Trace);
            using var response = await manager.PostAsJsonAsync($"v1/devices/{wish.Device}/commands", request, WireJson.Default.CommandRequest, stop);
            if (response.IsSuccessStatusCode)
            {
                Interlocked.Increment(ref _sent);
                Audit(wish, "done", "sent");
            }
            else
            {
                Audit(wish, "failed", $"the device manager answered {(int)response.StatusCode}");
            }
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !stop.IsCancellationRequested)
        {
            Audit(wish, "failed", "the device manager does not answer");
        }
    }

    private static JsonElement Arguments(CommandWish wish)
    {
        var body = new System.Buffers.ArrayBufferWriter<byte>(64);
        using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartObject();
            json.WriteString("output", wish.Output);
            json.WriteNumber("value", wish.Value);
            json.WriteEndObject();
        }

        var reader = new Utf8JsonReader(body.WrittenSpan);
        return JsonElement.ParseValue(ref reader);
    }

    private void Audit(CommandWish wish, string outcome, string detail) => audit(new AuditEntry(
        clock.GetUtcNow(), Interlock.Layer, "rule:" + wish.Rule, Actions.Command, Resources.Device(wish.Device), outcome,
        FormattableString.Invariant($"{wish.Output} = {wish.Value}: {detail}")));
}
