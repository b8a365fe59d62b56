using System.Xml.Linq;

namespace IoT.Reference.Host;

[Trait("Requirement", "R1")]
[Trait("Requirement", "R100")]
public sealed class LayeringTests
{
    private static readonly string[] _libraries = ["Contracts", "Access", "Observability"];
    private static readonly string[] _layers = ["Devices", "Gateway", "Bus", "Analytics", "Portal", "ApiGateway", "Identity", "DeviceManager"];

    public static TheoryData<string> Layers { get; } = [.. _layers];

    [Theory]
    [MemberData(nameof(Layers))]
    public void A_layer_s_project_knows_the_shared_words_and_the_library_and_no_other_layer(string layer)
    {
        var project = XDocument.Load(Path.Combine(Folder(), layer, layer + ".csproj"));

        var references = project.Descendants("ProjectReference").Select(static r => Path.GetFileNameWithoutExtension(((string)r.Attribute("Include")!).Replace('\\', '/'))).ToList();

        Assert.All(references, r => Assert.True(_libraries.Contains(r) || r.StartsWith("IoT.Cep", StringComparison.Ordinal), $"{layer} knows {r}"));
    }

    [Theory]
    [MemberData(nameof(Layers))]
    public void A_layer_s_assembly_uses_no_other_layer(string layer)
    {
        var assembly = System.Reflection.Assembly.Load("IoT.Reference." + layer);

        var used = assembly.GetReferencedAssemblies().Select(static a => a.Name!).Where(static n => n.StartsWith("IoT.Reference.", StringComparison.Ordinal));

        Assert.All(used, u => Assert.Contains(u["IoT.Reference.".Length..], _libraries));
    }

    [Fact]
    public void What_layers_share_knows_no_layer()
    {
        foreach (string library in _libraries)
        {
            var project = XDocument.Load(Path.Combine(Folder(), library, library + ".csproj"));
            Assert.DoesNotContain(project.Descendants("ProjectReference"), r => _layers.Contains(Path.GetFileNameWithoutExtension((string)r.Attribute("Include")!)));
        }
    }

    [Fact]
    public void Every_layer_is_a_project_of_the_folder() =>
        Assert.Equal(
            _layers.Concat(_libraries).Order(StringComparer.Ordinal),
            Directory.GetDirectories(Folder()).Where(static d => Directory.GetFiles(d, "*.csproj").Length == 1).Select(static d => Path.GetFileName(d)).Order(StringComparer.Ordinal));

    private static string Folder()
    {
        DirectoryInfo? root = new(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "IoT.Cep.sln")))
        {
            root = root.Parent;
        }

        return Path.Combine(root!.FullName, "samples", "ReferenceArchitecture");
    }
}
