using System.Security.Cryptography;

namespace IoT.Cep;

/// <summary>Chance: tokens that can't be guessed, and waits that differ. A test gives a seed.</summary>
/// <param name="seeded">Decides instead; null: the system's.</param>
internal sealed class CoapRandom(Random? seeded = null)
{
#pragma warning disable CA5394 // waits and first ids are no secrets; tokens come from the generator for secrets unless a test gives a seed
    internal CoapToken Token()
    {
        Span<byte> bytes = stackalloc byte[CoapToken.MaxLength];
        if (seeded is null)
        {
            RandomNumberGenerator.Fill(bytes);
        }
        else
        {
            seeded.NextBytes(bytes);
        }

        return CoapToken.Read(bytes);
    }

    internal ushort MessageId() => (ushort)(seeded ?? Random.Shared).Next(ushort.MaxValue + 1);

    /// <summary>A number between 0 and 1.</summary>
    internal double Fraction() => (seeded ?? Random.Shared).NextDouble();
#pragma warning restore CA5394
}
