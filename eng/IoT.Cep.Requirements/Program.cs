using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Xml.Linq;
using IoT.Cep.Requirements;

// dotnet run --project eng/IoT.Cep.Requirements -- ASSEMBLIES RESULTS DOCUMENT [--check]
//   ASSEMBLIES  the folder below which the tests' assemblies are
//   RESULTS     the folder of the runs' results (*.trx)
//   DOCUMENT    the table of requirements, whose last two columns are written anew
//   --check     writes nothing, and fails where they are not true
if (args is not [var assemblies, var results, var document, ..])
{
    Console.Error.WriteLine("usage: ASSEMBLIES RESULTS DOCUMENT [--check]");
    return 2;
}

var outcomes = Outcomes.Read(results);
var proofs = Directory.EnumerateFiles(assemblies, "IoT.*.dll", SearchOption.AllDirectories)
    .Where(file => Path.GetFileName(Path.GetDirectoryName(file)) == "release").SelectMany(Proof.Of).Distinct().ToLookup(proof => proof.Requirement);
string[] lines = File.ReadAllLines(document);
string[] written = [.. lines.Select(line => Row.TryParse(line, out var row) ? row.With(proofs[row.Id], outcomes).ToString() : line)];
foreach (string id in proofs.Select(group => group.Key).Except(lines.Select(line => Row.TryParse(line, out var row) ? row.Id : "")))
{
    Console.Error.WriteLine($"Tests are tagged with {id}, which {document} does not have.");
    return 1;
}

var states = written.Select(line => Row.TryParse(line, out var row) ? row.State : "").Where(state => state.Length > 0).CountBy(state => state);
Console.WriteLine(string.Join(", ", states.OrderBy(state => state.Key, StringComparer.Ordinal).Select(state => $"{state.Value} {state.Key}")));
if (args.Contains("--check"))
{
    foreach (var (was, now) in lines.Zip(written).Where(pair => pair.First != pair.Second))
    {
        Console.Error.WriteLine($"- {was}\n+ {now}");
    }

    return lines.SequenceEqual(written) ? 0 : 1;
}

File.WriteAllLines(document, written);
return 0;

namespace IoT.Cep.Requirements
{
    /// <summary>A requirement as the document has it: id, name, kind, when it works, its state, and the tests that show it.</summary>
    internal sealed record Row(string Id, string Text, string State, string Tests)
    {
        private const int TextColumns = 3;

        public static bool TryParse(string line, out Row row)
        {
            string[] cells = [.. line.Split('|').Select(cell => cell.Trim())];
            bool isRow = cells.Length >= TextColumns + 3 && cells[1] is ['R', .. var number] && number.All(char.IsAsciiDigit);
            row = isRow ? new Row(cells[1], string.Join(" | ", cells[2..(2 + TextColumns)]), cells.ElementAtOrDefault(5) ?? "", cells.ElementAtOrDefault(6) ?? "") : new Row("", "", "", "");
            return isRow;
        }

        public Row With(IEnumerable<Proof> proofs, Outcomes outcomes)
        {
            var all = proofs.OrderBy(proof => proof.Test, StringComparer.Ordinal).ToList();
            var states = all.Select(proof => outcomes.Of(proof.Test)).ToList();
            string state = all.Count == 0 ? "open"
                : states.Contains("Failed") ? "failed"
                : states.TrueForAll(one => one != "Passed") ? "skipped"
                : all.TrueForAll(proof => proof.IsByContract) ? "contract" : "passed";
            return this with { State = state, Tests = string.Join("<br>", all.Select(proof => Short(proof.Test)).Distinct()) };
        }

        public override string ToString() => $"| {Id} | {Text} | {State} | {Tests} |";

        private static string Short(string test) => string.Join('.', test.Split('.')[^2..]).Replace('_', ' ');
    }

    /// <summary>A test that shows a requirement: <c>[Trait("Requirement", "R54")]</c>, or <c>"RequirementByContract"</c> where the real product could not be had.</summary>
    internal sealed record Proof(string Requirement, string Test, bool IsByContract)
    {
        public static IEnumerable<Proof> Of(string assembly)
        {
            using var file = new PEReader(File.OpenRead(assembly));
            var metadata = file.GetMetadataReader();
            var found = new List<Proof>();
            foreach (var type in metadata.TypeDefinitions.Select(metadata.GetTypeDefinition))
            {
                string name = $"{metadata.GetString(type.Namespace)}.{metadata.GetString(type.Name)}";
                var ofType = TraitsOf(metadata, type.GetCustomAttributes()).ToList();
                foreach (var method in type.GetMethods().Select(metadata.GetMethodDefinition))
                {
                    string test = $"{name}.{metadata.GetString(method.Name)}";
                    found.AddRange(TraitsOf(metadata, method.GetCustomAttributes()).Select(trait => new Proof(trait.Value, test, trait.Name == "RequirementByContract")));
                }

                found.AddRange(ofType.Select(trait => new Proof(trait.Value, name + ".*", trait.Name == "RequirementByContract")));
            }

            return found;
        }

        private static IEnumerable<(string Name, string Value)> TraitsOf(MetadataReader metadata, CustomAttributeHandleCollection attributes)
        {
            foreach (var attribute in attributes.Select(metadata.GetCustomAttribute))
            {
                if (attribute.Constructor.Kind != HandleKind.MemberReference
                    || metadata.GetMemberReference((MemberReferenceHandle)attribute.Constructor).Parent is not { Kind: HandleKind.TypeReference } parent
                    || metadata.GetString(metadata.GetTypeReference((TypeReferenceHandle)parent).Name) != "TraitAttribute")
                {
                    continue;
                }

                // A prolog of two bytes, then the two texts.
                var value = metadata.GetBlobReader(attribute.Value);
                value.ReadUInt16();
                var (name, text) = (value.ReadSerializedString(), value.ReadSerializedString());
                if (name is "Requirement" or "RequirementByContract" && text is not null)
                {
                    yield return (name, text);
                }
            }
        }
    }

    /// <summary>What became of each test.</summary>
    internal sealed class Outcomes
    {
        private readonly Dictionary<string, string> _byTest = new(StringComparer.Ordinal);

        public static Outcomes Read(string folder)
        {
            var outcomes = new Outcomes();
            foreach (var result in Directory.EnumerateFiles(folder, "*.trx").SelectMany(file => XDocument.Load(file).Descendants().Where(e => e.Name.LocalName == "UnitTestResult")))
            {
                string test = ((string)result.Attribute("testName")!).Split('(')[0];
                outcomes.Add(test, (string)result.Attribute("outcome")!);
                outcomes.Add(test[..test.LastIndexOf('.')] + ".*", (string)result.Attribute("outcome")!);
            }

            return outcomes;
        }

        /// <summary>Failed where one case failed; Passed where one passed.</summary>
        public string Of(string test) => _byTest.GetValueOrDefault(test, "NotRun");

        private void Add(string test, string outcome)
        {
            string known = Of(test);
            _byTest[test] = known == "Failed" || outcome == "Failed" ? "Failed" : known == "Passed" ? known : outcome;
        }
    }
}
