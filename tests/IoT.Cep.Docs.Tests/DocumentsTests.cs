using System.Runtime.Loader;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace IoT.Cep.Docs.Tests;

/// <summary>Every C# block of the README and of docs/ compiles and runs, and every link leads somewhere.</summary>
public sealed partial class DocumentsTests
{
    private static readonly string _root = Root();

    // docs/analyzers.md shows what does not compile; the generator's tests hold it to its word.
    public static TheoryData<string> Documents => [.. Directory.GetFiles(Path.Combine(_root, "docs"), "*.md", SearchOption.AllDirectories)
        .Append(Path.Combine(_root, "README.md"))
        .Select(path => Path.GetRelativePath(_root, path)).Where(path => !path.EndsWith("analyzers.md", StringComparison.Ordinal)).Order()];

    [Fact]
    public async Task The_readmes_blocks_are_one_program_that_runs()
    {
        string printed = await RunAsync(Join(Blocks("README.md")));

        Assert.Contains("Summary { Sensor = s0, Start = 01/01/2026 00:00:00 +00:00, Count = 5, Average = 64, Max = 68 }", printed, StringComparison.Ordinal);
        Assert.Contains("ALERT Alert { Sensor = s1", printed, StringComparison.Ordinal);
        Assert.Contains("Window tumbling 00:00:10 by r => r.Sensor", printed, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public async Task A_documents_blocks_compile_and_run(string document)
    {
        if (document == "README.md")
        {
            return;
        }

        foreach (string block in Blocks(document))
        {
            await RunAsync(Wrap(block));
        }
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void A_documents_links_lead_somewhere(string document)
    {
        string folder = Path.GetDirectoryName(Path.Combine(_root, document))!;
        foreach (Match link in Link().Matches(File.ReadAllText(Path.Combine(_root, document))))
        {
            string target = Path.Combine(folder, link.Groups[1].Value.Split('#')[0]);
            Assert.True(File.Exists(target) || Directory.Exists(target), $"{document} links to {link.Groups[1].Value}, which isn't there.");
        }
    }

    private static List<string> Blocks(string document) =>
        [.. Block().Matches(File.ReadAllText(Path.Combine(_root, document))).Select(m => m.Groups[1].Value)];

    /// <summary>A program's parts in the order C# wants: usings, statements, types.</summary>
    private static string Join(IEnumerable<string> blocks)
    {
        var units = blocks.Select(b => CSharpSyntaxTree.ParseText(b).GetCompilationUnitRoot()).ToList();
        var members = units.SelectMany(u => u.Members).ToList();
        return string.Concat(units.SelectMany(u => u.Usings).Select(u => u.ToFullString()))
            + string.Concat(members.OfType<GlobalStatementSyntax>().Select(m => m.ToFullString()))
            + string.Concat(members.Where(m => m is not GlobalStatementSyntax).Select(m => m.ToFullString()));
    }

    /// <summary>An example behind what it takes for granted; its own types stand in for those of the same name.</summary>
    private static string Wrap(string block)
    {
        var unit = CSharpSyntaxTree.ParseText(block).GetCompilationUnitRoot();
        var types = unit.Members.Where(m => m is not GlobalStatementSyntax).ToList();
        var names = types.OfType<BaseTypeDeclarationSyntax>().Select(t => t.Identifier.Text).ToHashSet();
        var prelude = CSharpSyntaxTree.ParseText(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Prelude.cs.txt"))).GetCompilationUnitRoot()
            .Members.Where(m => m is not BaseTypeDeclarationSyntax type || !names.Contains(type.Identifier.Text));
        string statements = string.Concat(unit.Members.OfType<GlobalStatementSyntax>().Select(m => m.ToFullString()));
        return string.Concat(unit.Usings.Select(u => u.ToFullString()))
            + "await Example.Run();\n"
            + string.Concat(prelude.Select(m => m.ToFullString()))
            + string.Concat(types.Select(m => m.ToFullString()))
            + $"public static partial class Example {{ public static async Task Run() {{ {statements}\n await engine.DisposeAsync(); }} }}";
    }

    private static async Task<string> RunAsync(string source)
    {
        const string Usings = """
            global using System; global using System.Buffers; global using System.Collections.Generic; global using System.IO; global using System.Linq;
            global using System.Threading; global using System.Threading.Tasks; global using IoT.Cep; global using IoT.Cep.Extensibility;
            global using Microsoft.Extensions.DependencyInjection;
            """;
        var options = CSharpParseOptions.Default.WithLanguageVersion(LanguageVersion.CSharp14);
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Select(p => MetadataReference.CreateFromFile(p));
        var compilation = CSharpCompilation.Create(
            $"Document{Guid.NewGuid():N}", [CSharpSyntaxTree.ParseText(Usings, options), CSharpSyntaxTree.ParseText(source, options)], references,
            new CSharpCompilationOptions(OutputKind.ConsoleApplication, nullableContextOptions: NullableContextOptions.Enable));
        CSharpGeneratorDriver.Create([new Generators.EventTypeGenerator().AsSourceGenerator()], parseOptions: options)
            .RunGeneratorsAndUpdateCompilation(compilation, out var generated, out _);
        using var image = new MemoryStream();
        var result = generated.Emit(image);
        Assert.True(result.Success, string.Join('\n', result.Diagnostics.Where(d => d.Severity == DiagnosticSeverity.Error)) + "\n" + source);

        image.Position = 0;
        var entry = new AssemblyLoadContext("document", isCollectible: true).LoadFromStream(image).EntryPoint!;
        using var printed = new StringWriter();
        await CapturedConsole.RunAsync(printed, () => (entry.Invoke(null, entry.GetParameters().Length == 0 ? [] : [Array.Empty<string>()]) as Task) ?? Task.CompletedTask);
        return printed.ToString();
    }

    private static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "IoT.Cep.sln")))
        {
            folder = folder.Parent ?? throw new DirectoryNotFoundException("IoT.Cep.sln was not found above the test.");
        }

        return folder.FullName;
    }

    [GeneratedRegex(@"^```csharp\r?\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex(@"\]\((?!https?:)([^)#\s][^)\s]*)\)")]
    private static partial Regex Link();
}

/// <summary>Runs one program at a time with the console's output caught.</summary>
internal static class CapturedConsole
{
    private static readonly SemaphoreSlim _one = new(1, 1);

    internal static async Task RunAsync(TextWriter output, Func<Task> program)
    {
        await _one.WaitAsync();
        var before = Console.Out;
        try
        {
            Console.SetOut(TextWriter.Synchronized(output));
            await Task.Run(program).WaitAsync(TimeSpan.FromSeconds(60));
        }
        finally
        {
            Console.SetOut(before);
            _one.Release();
        }
    }
}
