using System.Net;
using System.Security.Cryptography.X509Certificates;

using IoT.Reference.Contracts;
using Microsoft.Extensions.Logging.Abstractions;

namespace IoT.Reference.DeviceManager;

/// <summary>Where the device manager listens, whom it asks, and its bounds.</summary>
public sealed record DeviceManagerOptions
{
    /// <summary>The decision point, which is also told of credentials and of what belongs to whom.</summary>
    public required Uri Identity { get; init; }

    /// <summary>What the layer proves itself with, at <c>Identity</c> and at the bus.</summary>
    public required ServiceCredential Service { get; init; }

    /// <summary>The bus: <c>mqtt://host:port</c> or <c>mqtts://host:port</c>.</summary>
    public required Uri Bus { get; init; }

    /// <summary>Registry, commands, jobs, packages and the key that signs them.</summary>
    public required string DataFolder { get; init; }

    /// <summary>Anything beyond loopback needs <see cref="Certificate"/>.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>0: any that is free.</summary>
    public int Port { get; init; } = 5102;

    /// <summary>Serves by TLS.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>A file with the certificate of the bus, where it is a development certificate.</summary>
    public string? BusCaFile { get; init; }

    /// <summary>Where devices load packages from; null: the address the layer listens on.</summary>
    public Uri? Downloads { get; init; }

    /// <summary>The public key (PEM) of those who make software, where they sign themselves; null: packages without a signature are signed by this layer's own key.</summary>
    public string? MakersKey { get; init; }

    /// <summary>Makes what requests to <see cref="Identity"/> go through, where a development certificate has to be trusted.</summary>
    public Func<HttpMessageHandler>? Handler { get; init; }

    /// <summary>How many devices at most.</summary>
    public int MaxDevices { get; init; } = 200_000;

    /// <summary>How many commands may wait for one device; an agent remembers 64.</summary>
    public int MaxOpenCommands { get; init; } = 64;

    /// <summary>How many jobs may run or pause at once.</summary>
    public int MaxOpenJobs { get; init; } = 100;

    /// <summary>The longest package; agents take no more.</summary>
    public int MaxPackageBytes { get; init; } = 16 << 20;

    /// <summary>How many packages are kept.</summary>
    public int MaxPackages { get; init; } = 1_000;

    /// <summary>A command without an answer is sent again after this, as long as its device is there and its time is not over.</summary>
    public TimeSpan RepeatAfter { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long finished commands and jobs are kept.</summary>
    public TimeSpan Retention { get; init; } = TimeSpan.FromDays(90);

    /// <summary>The clock of commands, jobs and the audit.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Where log entries go.</summary>
    public ILoggerFactory Logging { get; init; } = NullLoggerFactory.Instance;
}
