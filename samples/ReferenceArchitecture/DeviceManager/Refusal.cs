namespace IoT.Reference.DeviceManager;

/// <summary>A request that can't be done: becomes problem details.</summary>
internal sealed class Refusal(int status, string title, string? detail = null) : Exception(detail ?? title)
{
    public int Status { get; } = status;

    public string Title { get; } = title;

    public static Refusal NotFound() => new(StatusCodes.Status404NotFound, "Not known");

    public static Refusal Invalid(string detail) => new(StatusCodes.Status400BadRequest, "Not valid", detail);

    public static Refusal Conflict(string detail) => new(StatusCodes.Status409Conflict, "Not now", detail);

    public static Refusal Away(string detail) => new(StatusCodes.Status503ServiceUnavailable, "Away", detail);
}
