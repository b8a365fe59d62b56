using System.Buffers.Binary;
using System.Net.Sockets;
using System.Security.Cryptography;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Makes and checks Echo values (RFC 9175, 2.3): a time and a keyed hash of it with the address, so that nothing needs to be kept for an address before it
/// has answered. The key is made at the start and never leaves the process.
/// </summary>
internal sealed class AddressVerification
{
    internal const int EchoLength = TimeLength + HashLength;

    private const int TimeLength = 4;

    /// <summary>64 bits can't be guessed within the time that a value counts.</summary>
    private const int HashLength = 8;

    /// <summary>A slow client's round trip with a few repetitions; a value that was overheard is of no use for longer.</summary>
    private const long LifetimeSeconds = 60;

    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);

    internal byte[] Make(CoapRemote remote, long nowTicks)
    {
        byte[] echo = new byte[EchoLength];
        Fill(echo, remote, (uint)(nowTicks / TimeSpan.TicksPerSecond));
        return echo;
    }

    internal bool IsValid(ReadOnlySpan<byte> echo, CoapRemote remote, long nowTicks)
    {
        if (echo.Length != EchoLength)
        {
            return false;
        }

        uint made = BinaryPrimitives.ReadUInt32BigEndian(echo);
        long age = (nowTicks / TimeSpan.TicksPerSecond) - made;
        Span<byte> expected = stackalloc byte[EchoLength];
        Fill(expected, remote, made);
        return CryptographicOperations.FixedTimeEquals(expected, echo) && age is >= 0 and <= LifetimeSeconds;
    }

    private void Fill(Span<byte> echo, CoapRemote remote, uint seconds)
    {
        BinaryPrimitives.WriteUInt32BigEndian(echo, seconds);
        Span<byte> hashed = stackalloc byte[TimeLength + 16 + 2];
        hashed.Clear();
        echo[..TimeLength].CopyTo(hashed);
        remote.Address.Address.TryWriteBytes(hashed[TimeLength..], out int written);
        System.Diagnostics.Debug.Assert(written > 0 || remote.Address.AddressFamily is not (AddressFamily.InterNetwork or AddressFamily.InterNetworkV6), "An address has bytes.");
        BinaryPrimitives.WriteUInt16BigEndian(hashed[(TimeLength + 16)..], (ushort)remote.Address.Port);
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(_key, hashed, hash);
        hash[..HashLength].CopyTo(echo[TimeLength..]);
    }
}
