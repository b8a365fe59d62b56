namespace IoT.Cep.Conformance;

internal static class FuzzCommand
{
    internal static int Run(string folder, int count, int seed) => 0;
}
