using IoT.Reference.Contracts;

namespace IoT.Reference.DeviceManager.States;

/// <summary>What happens to a device.</summary>
internal enum DeviceCause
{
    /// <summary>It has an owner now: by the code on the box, or because an operator said so.</summary>
    Owned,

    /// <summary>It has none any more.</summary>
    Released,
    Lock,
    Unlock,

    /// <summary>It said that its secret data are gone.</summary>
    WipeConfirmed,
    Revoke,

    /// <summary>It is made known anew, with a new secret.</summary>
    Provision,
}

/// <summary>The life of a device.</summary>
internal static class DeviceStates
{
    public static Transitions<DeviceState, DeviceCause> Table { get; } = new(
        (DeviceState.Registered, DeviceCause.Owned, DeviceState.Active),
        (DeviceState.Registered, DeviceCause.Lock, DeviceState.Locked),
        (DeviceState.Registered, DeviceCause.WipeConfirmed, DeviceState.Wiped),
        (DeviceState.Registered, DeviceCause.Revoke, DeviceState.Revoked),
        (DeviceState.Active, DeviceCause.Owned, DeviceState.Active),
        (DeviceState.Active, DeviceCause.Released, DeviceState.Registered),
        (DeviceState.Active, DeviceCause.Lock, DeviceState.Locked),
        (DeviceState.Active, DeviceCause.WipeConfirmed, DeviceState.Wiped),
        (DeviceState.Active, DeviceCause.Revoke, DeviceState.Revoked),
        (DeviceState.Locked, DeviceCause.Owned, DeviceState.Locked),
        (DeviceState.Locked, DeviceCause.Released, DeviceState.Locked),
        (DeviceState.Locked, DeviceCause.Unlock, DeviceState.Active),
        (DeviceState.Locked, DeviceCause.WipeConfirmed, DeviceState.Wiped),
        (DeviceState.Locked, DeviceCause.Revoke, DeviceState.Revoked),
        (DeviceState.Wiped, DeviceCause.Released, DeviceState.Wiped),
        (DeviceState.Wiped, DeviceCause.Revoke, DeviceState.Revoked),
        (DeviceState.Wiped, DeviceCause.Provision, DeviceState.Registered),
        (DeviceState.Revoked, DeviceCause.Released, DeviceState.Revoked),
        (DeviceState.Revoked, DeviceCause.Provision, DeviceState.Registered));

    /// <summary>Which commands a device in a state may be given.</summary>
    public static bool Takes(DeviceState state, string command) => state switch
    {
        DeviceState.Registered or DeviceState.Active => true,
        DeviceState.Locked => command is CommandNames.Lock or CommandNames.Unlock or CommandNames.Wipe or CommandNames.Locate or CommandNames.RotateCredential,
        _ => false,
    };
}
