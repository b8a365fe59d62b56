namespace IoT.Cep.Generators.Tests;

/// <summary>
/// What a user is told who writes a line that must not compile: the compiler's own words and the analyzers', from a warning on. The line stands in
/// a method that has a stream <c>s</c>, a keyed stream <c>k</c> and its windows <c>w</c>, with Rx in scope.
/// </summary>
internal static class CompileErrors
{
    private const string Usings = """
        global using System;
        global using System.Collections.Generic;
        global using System.Linq;
        global using System.Reactive.Linq;
        global using IoT.Cep;
        """;

    private const string Types = """
        public readonly record struct Reading(DateTimeOffset Time, string Sensor, double Celsius, string Site);
        public sealed record Summary(string Sensor, DateTimeOffset Start, long Count, double Average, double Max);
        """;

    /// <summary>The messages for one line, as the build prints them; line 1 is the line itself.</summary>
    internal static async Task<IReadOnlyList<string>> Of(string line)
    {
        string parameters = "IEventStream<Reading> s, IKeyedStream<string, Reading> k, IWindowedStream<string, Reading> w";
        var diagnostics = await Snippet.Diagnose(
            Usings + Types, $"static class Query {{ static void F({parameters}) {{\n#line 1\n{line}\n}} }}");
        return [.. diagnostics.Select(Snippet.Print)];
    }
}
