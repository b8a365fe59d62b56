using System.Globalization;
using IoT.Cep.Extensibility;
using Microsoft.AspNetCore.Http;

namespace IoT.Cep;

/// <summary>
/// One endpoint that devices fetch commands from. A device is given its oldest command until it has acknowledged it, so it gets each at least once and in order.
/// </summary>
internal sealed class CommandQueues
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Device> _devices = new(StringComparer.Ordinal);

    // Numbers begin anew with the process: a late acknowledgement must not hit another command.
    private readonly string _epoch = Guid.NewGuid().ToString("N")[..8];
    private readonly HttpServer _server;
    private readonly HttpCommandOptions _options;
    private readonly string _contentType;
    private long _number;
    private long _expired;
    private int _requests;
    private int _waiting;

    internal CommandQueues(HttpServer server, TopicTemplate template, string contentType, HttpCommandOptions options)
    {
        (_server, Template, _contentType, _options) = (server, template, contentType, options);
        Name = $"http /{template}";
    }

    internal string Name { get; }

    internal TopicTemplate Template { get; }

    /// <summary>How many requests wait for a command.</summary>
    internal int Requests => Volatile.Read(ref _requests);

    internal long Expired => Interlocked.Read(ref _expired);

    /// <summary>How many commands wait.</summary>
    internal int Waiting
    {
        get
        {
            lock (_gate)
            {
                return _waiting;
            }
        }
    }

    /// <summary>Keeps a command.</summary>
    /// <returns>What is wrong; null where it is kept.</returns>
    internal string? Add(string device, byte[] command)
    {
        Device? queue;
        lock (_gate)
        {
            long now = _server.Clock.GetTimestamp();
            if (!_devices.TryGetValue(device, out queue))
            {
                if (_devices.Count >= _options.MaxDevices)
                {
                    ForgetExpired(now);
                }

                if (_devices.Count >= _options.MaxDevices)
                {
                    return $"{_options.MaxDevices} devices have commands waiting already.";
                }

                _devices[device] = queue = new Device();
            }

            Expire(queue, now);
            if (queue.Commands.Count >= _options.MaxPerDevice)
            {
                return $"{_options.MaxPerDevice} commands wait for this device already.";
            }

            queue.Commands.Enqueue(new Command(++_number, command, now + (long)(_options.TimeToLive.TotalSeconds * _server.Clock.TimestampFrequency)));
            _waiting++;
        }

        queue.News.TrySetResult();
        return null;
    }

    /// <summary>GET: the oldest command, waited for as long as <c>?wait=</c> says; <c>?ack=</c> acknowledges the one before. DELETE with <c>?ack=</c> acknowledges only.</summary>
    internal async Task HandleAsync(HttpContext context)
    {
        if (DeviceOf(context) is not { } place)
        {
            Answers.Status(context, StatusCodes.Status404NotFound);
            return;
        }

        var (topic, device) = place;
        var peer = HttpPeer.Of(context, _server);
        if (await _server.Access.EnterAsync(context, peer, AccessAction.Command, Template, topic).ConfigureAwait(false) is not { } who)
        {
            return;
        }

        // Whoever may speak for a device by its identity alone takes its commands, whatever template names the place.
        if (_server.Options.Security.DevicePlace is not null && !who.Identity.MaySpeakFor(device))
        {
            Answers.Status(context, StatusCodes.Status403Forbidden);
            return;
        }

        if (!who.Budget.TryTakeMessage(out var pause))
        {
            await Answers.TooManyAsync(context, pause).ConfigureAwait(false);
            return;
        }

        string? acknowledged = context.Request.Query.TryGetValue("ack", out var ack) ? ack.ToString() : null;
        bool isKnown = acknowledged is null || Acknowledge(device, acknowledged);
        if (HttpMethods.IsDelete(context.Request.Method))
        {
            Answers.Status(context, isKnown && acknowledged is not null ? StatusCodes.Status204NoContent : StatusCodes.Status404NotFound);
            return;
        }

        if (!TryReadWait(context, out var wait))
        {
            await Answers.ProblemAsync(context, StatusCodes.Status400BadRequest, null, "wait must be a number of seconds.").ConfigureAwait(false);
            return;
        }

        await GiveAsync(context, who, device, wait).ConfigureAwait(false);
    }

    private async Task GiveAsync(HttpContext context, HttpPeer.IdentityMemo who, string device, TimeSpan wait)
    {
        var command = Peek(device, out var news);
        if (command is null)
        {
            bool mayGoOn;
            try
            {
                mayGoOn = wait <= TimeSpan.Zero || await WaitAsync(context, who, news, wait).ConfigureAwait(false);
            }
            finally
            {
                Leave(device);
            }

            if (!mayGoOn)
            {
                return;
            }

            command = wait > TimeSpan.Zero ? Peek(device, out _, isWaiting: false) : null;
        }

        context.Response.Headers.CacheControl = "no-store";
        if (command is not { } next)
        {
            Answers.Status(context, StatusCodes.Status204NoContent);
            return;
        }

        context.Response.Headers["Command-Id"] = IdOf(next);
        context.Response.ContentType = _contentType;
        context.Response.ContentLength = next.Bytes.Length;
        await context.Response.Body.WriteAsync(next.Bytes, context.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>Waits for news, or as long as the device asks for.</summary>
    /// <returns>False where the request was answered.</returns>
    private async Task<bool> WaitAsync(HttpContext context, HttpPeer.IdentityMemo who, Task news, TimeSpan wait)
    {
        if (await _server.Access.StayAsync(context, who).ConfigureAwait(false) is not { } admission)
        {
            return false;
        }

        using (admission)
        {
            try
            {
                if (Interlocked.Increment(ref _requests) > _options.MaxWaiting)
                {
                    await Answers.BusyAsync(context, "Too many wait for commands.").ConfigureAwait(false);
                    return false;
                }

                using var ended = Stopping.OrGone(context, admission);
                await news.WaitAsync(wait, _server.Clock, ended.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (e is TimeoutException or OperationCanceledException)
            {
                // None came; or the device has gone or the application stops, and an answer does no harm.
            }
            finally
            {
                Interlocked.Decrement(ref _requests);
            }

            if (admission.HasEnded)
            {
                _server.Access.RefuseEnded(context);
                return false;
            }

            return true;
        }
    }

    /// <summary>The device's oldest command that is still good. Where there is none, whoever waits holds the queue until <see cref="Leave"/>.</summary>
    private Command? Peek(string device, out Task news, bool isWaiting = true)
    {
        lock (_gate)
        {
            news = Task.CompletedTask;
            if (!_devices.TryGetValue(device, out var queue))
            {
                if (!isWaiting)
                {
                    return null;
                }

                // Bounded by the requests that may wait: it goes when the last one does.
                _devices[device] = queue = new Device();
            }

            Expire(queue, _server.Clock.GetTimestamp());
            if (queue.Commands.TryPeek(out var next))
            {
                return next;
            }

            if (isWaiting)
            {
                queue.Waiters++;
                if (queue.News.Task.IsCompleted)
                {
                    queue.News = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                }

                news = queue.News.Task;
            }
            else
            {
                Drop(device, queue);
            }

            return null;
        }
    }

    private void Leave(string device)
    {
        lock (_gate)
        {
            if (_devices.TryGetValue(device, out var queue))
            {
                queue.Waiters--;
                Drop(device, queue);
            }
        }
    }

    private void Drop(string device, Device queue)
    {
        if (queue is { Waiters: 0, Commands.Count: 0 })
        {
            _devices.Remove(device);
        }
    }

    /// <summary>Forgets a command, and those before it, which the device had been given.</summary>
    private bool Acknowledge(string device, string id)
    {
        if (id.Length <= _epoch.Length + 1 || !id.StartsWith(_epoch, StringComparison.Ordinal)
            || !long.TryParse(id.AsSpan(_epoch.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out long number))
        {
            return false;
        }

        lock (_gate)
        {
            bool isKnown = false;
            if (_devices.TryGetValue(device, out var queue))
            {
                while (queue.Commands.TryPeek(out var next) && next.Number <= number)
                {
                    queue.Commands.Dequeue();
                    _waiting--;
                    isKnown |= next.Number == number;
                }

                Drop(device, queue);
            }

            return isKnown;
        }
    }

    private void ForgetExpired(long now)
    {
        foreach (var (name, queue) in _devices)
        {
            Expire(queue, now);
            Drop(name, queue);
        }
    }

    private void Expire(Device queue, long now)
    {
        while (queue.Commands.TryPeek(out var oldest) && oldest.Until <= now)
        {
            queue.Commands.Dequeue();
            _waiting--;
            Interlocked.Increment(ref _expired);
        }
    }

    private string IdOf(Command command) => string.Create(CultureInfo.InvariantCulture, $"{_epoch}-{command.Number}");

    private (string Topic, string Device)? DeviceOf(HttpContext context)
    {
        if (context.Request.RouteValues.TryGetValue(Template.Names[0], out object? value) && value is string { Length: > 0 } device)
        {
            string topic = Template.ToString().Replace($"{{{Template.Names[0]}}}", device, StringComparison.Ordinal);
            Span<Range> places = stackalloc Range[1];
            return Template.TryMatch(topic, places) ? (topic, device) : null;
        }

        return null;
    }

    private bool TryReadWait(HttpContext context, out TimeSpan wait)
    {
        wait = TimeSpan.Zero;
        if (!context.Request.Query.TryGetValue("wait", out var text))
        {
            return true;
        }

        if (!double.TryParse(text.ToString(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds))
        {
            return false;
        }

        wait = TimeSpan.FromSeconds(Math.Min(seconds, _options.MaxWait.TotalSeconds));
        return true;
    }

    private sealed class Device
    {
        internal Queue<Command> Commands { get; } = new();

        internal TaskCompletionSource News { get; set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        internal int Waiters { get; set; }
    }

    private sealed record Command(long Number, byte[] Bytes, long Until);
}
