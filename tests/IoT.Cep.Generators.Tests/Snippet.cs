using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;

namespace IoT.Cep.Generators.Tests;

/// <summary>Source text as a user's project would compile it: against the built library and System.Reactive, with the generator.</summary>
internal static class Snippet
{
    private static readonly CSharpParseOptions _parseOptions = new(LanguageVersion.CSharp14);

    private static readonly ImmutableArray<MetadataReference> _references =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(static path => Path.GetDirectoryName(path) == Path.GetDirectoryName(typeof(object).Assembly.Location)
                || Path.GetFileName(path) is "IoT.Cep.dll" or "System.Reactive.dll")
            .Select(static path => MetadataReference.CreateFromFile(path)),
    ];

    internal static CSharpCompilation Compile(params string[] sources) => CSharpCompilation.Create(
        "Snippet",
        sources.Select(static (source, i) => CSharpSyntaxTree.ParseText(source, _parseOptions, $"{i}.cs")),
        _references,
        new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable)
            .WithSpecificDiagnosticOptions([new("CS1701", ReportDiagnostic.Suppress)])); // as the SDK does

    internal static GeneratorDriver Driver() => CSharpGeneratorDriver.Create(
        [new EventTypeGenerator().AsSourceGenerator()],
        parseOptions: _parseOptions,
        driverOptions: new GeneratorDriverOptions(IncrementalGeneratorOutputKind.None, trackIncrementalGeneratorSteps: true));

    /// <summary>The compilation with what the generator adds to it.</summary>
    internal static Compilation Generate(params string[] sources)
    {
        Driver().RunGeneratorsAndUpdateCompilation(Compile(sources), out var generated, out _);
        return generated;
    }

    /// <summary>The one file that the generator adds.</summary>
    internal static string GeneratedText(string source) =>
        Driver().RunGenerators(Compile(source)).GetRunResult().GeneratedTrees.Single().ToString();

    /// <summary>Everything that the compiler, the generator and the analyzers say from a warning on, in the order of the source.</summary>
    internal static async Task<IReadOnlyList<Diagnostic>> Diagnose(params string[] sources)
    {
        var generated = Generate(sources);
        var analyzed = generated.WithAnalyzers([new EventTypeAnalyzer(), new TypeArgumentAnalyzer(), new ProjectionAnalyzer(), new PatternAnalyzer()]);
        return [.. (await analyzed.GetAllDiagnosticsAsync())
            .Where(static d => d.Severity >= DiagnosticSeverity.Warning)
            .OrderBy(static d => d.Location.SourceTree?.FilePath, StringComparer.Ordinal)
            .ThenBy(static d => d.Location.SourceSpan.Start)
            .ThenBy(static d => d.Id, StringComparer.Ordinal)];
    }

    /// <summary>A message as the build prints it: <c>(1,5): error CEP002: ...</c>.</summary>
    internal static string Print(Diagnostic diagnostic)
    {
        var at = diagnostic.Location.GetMappedLineSpan().StartLinePosition;
        string severity = diagnostic.Severity == DiagnosticSeverity.Error ? "error" : "warning";
        return $"({at.Line + 1},{at.Character + 1}): {severity} {diagnostic.Id}: {diagnostic.GetMessage(System.Globalization.CultureInfo.InvariantCulture)}";
    }
}
