using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// What one admitted connection hands over, within its identity's limits: who sends too fast is not read meanwhile, and TCP stops it, so that nothing is lost and only it waits.
/// </summary>
/// <param name="target">Takes the messages.</param>
/// <param name="admission">Whose they are.</param>
/// <param name="clock">The clock.</param>
/// <param name="stop">Ends the waiting.</param>
internal sealed class Admitted(IPayloadReceiver target, Admission admission, TimeProvider clock, CancellationToken stop) : IPayloadReceiver
{
    /// <summary>Another connection of the same identity may hold all that it may have under way, and nobody tells of that: it is looked at again so soon.</summary>
    private static readonly TimeSpan _lookAgain = TimeSpan.FromMilliseconds(20);

    private readonly PrincipalBudget _budget = admission.Budget!;

    public ValueTask ReceiveAsync(in Payload payload, IAcknowledger? acknowledger = null, object? delivery = null)
    {
        // What was read before an identity was revoked may still lie in the buffer.
        if (admission.HasEnded)
        {
            throw new OperationCanceledException("The identity's access has ended.");
        }

        return TakeAsync(payload, acknowledger, delivery);
    }

    public void Reject(in Payload payload, DeadLetterReason reason, string detail) => target.Reject(in payload, reason, detail);

    public void CountDuplicate() => target.CountDuplicate();

    public void ConnectionChanged(bool connected, string? detail = null) => target.ConnectionChanged(connected, detail);

    private async ValueTask TakeAsync(Payload payload, IAcknowledger? acknowledger, object? delivery)
    {
        while (!_budget.TryTakeMessage(out var wait))
        {
            await Task.Delay(wait, clock, stop).ConfigureAwait(false);
        }

        while (!_budget.TryBeginMessage())
        {
            await Task.Delay(_lookAgain, clock, stop).ConfigureAwait(false);
        }

        try
        {
            await target.ReceiveAsync(in payload, acknowledger, delivery).ConfigureAwait(false);
        }
        finally
        {
            _budget.EndMessage();
        }
    }
}
