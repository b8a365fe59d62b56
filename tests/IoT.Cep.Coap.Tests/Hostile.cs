namespace IoT.Cep.CoapTests;

/// <summary>Bytes that a stranger may send: random ones, and messages with a few bits turned, cut off or drawn out.</summary>
internal static class Hostile
{
    private static readonly byte[] _sample = Sample();

    internal static void Fill(Random random, Span<byte> bytes, int kind)
    {
        random.NextBytes(bytes);
        if (kind % 3 == 0 || bytes.Length < 4)
        {
            return;
        }

        _sample.AsSpan(0, Math.Min(bytes.Length, _sample.Length)).CopyTo(bytes);
        if (kind % 3 == 1)
        {
            bytes[4..].Fill(0x11);
            bytes[0] = (byte)(0x40 | (random.Next(4) << 4) | random.Next(Math.Min(16, bytes.Length)));
        }

        for (int flips = random.Next(4); flips > 0; flips--)
        {
            bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
        }
    }

    private static byte[] Sample()
    {
        byte[] options = new CoapOptionBuilder().Add(CoapOptionNumber.UriPath, "plant").Add(CoapOptionNumber.UriPath, "line 1").Add(CoapOptionNumber.Observe, 0u)
            .Add(CoapOptionNumber.Block1, 0x1Eu).Add(CoapOptionNumber.Block2, 0x06u).Add(CoapOptionNumber.Echo, new byte[12]).Add(CoapOptionNumber.RequestTag, new byte[3]).ToArray();
        byte[] bytes = new byte[200];
        int length = CoapDatagram.Write(bytes, CoapType.Confirmable, CoapCode.Post, 77, CoapToken.Read([1, 2, 3, 4]), options, new byte[100]);
        return bytes[..length];
    }
}
