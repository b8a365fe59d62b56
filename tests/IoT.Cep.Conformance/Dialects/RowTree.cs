namespace IoT.Cep.Conformance;

/// <summary>A row pattern as a tree, which is to be put into a builder's words; as a text it is written as it is read.</summary>
internal abstract record RowTree
{
    /// <summary>The variables in the order in which they are first mentioned.</summary>
    internal IReadOnlyList<string> Variables
    {
        get
        {
            var names = new List<string>();
            Collect(names);
            return names;
        }
    }

    private protected abstract void Collect(List<string> names);

    private static string Enclosed(RowTree tree) => tree is Var or Permute ? $"{tree}" : $"({tree})";

    internal sealed record Var(string Name) : RowTree
    {
        public override string ToString() => Name;

        private protected override void Collect(List<string> names)
        {
            if (!names.Contains(Name))
            {
                names.Add(Name);
            }
        }
    }

    internal sealed record Concat(RowTree[] Parts) : RowTree
    {
        public override string ToString() => string.Join(' ', Parts.Select(part => part is Repeat ? $"{part}" : Enclosed(part)));

        private protected override void Collect(List<string> names) => Array.ForEach(Parts, part => part.Collect(names));
    }

    internal sealed record Alternation(RowTree[] Parts) : RowTree
    {
        public override string ToString() => string.Join(" | ", Parts.Select(part => part is Alternation ? Enclosed(part) : $"{part}"));

        private protected override void Collect(List<string> names) => Array.ForEach(Parts, part => part.Collect(names));
    }

    internal sealed record Repeat(RowTree Of, int Min, int? Max, bool IsReluctant) : RowTree
    {
        public override string ToString()
        {
            string bounds = (Min, Max) switch
            {
                (0, null) => "*",
                (1, null) => "+",
                (0, 1) => "?",
                (_, null) => $"{{{Min},}}",
                (0, _) => $"{{,{Max}}}",
                _ => Min == Max ? $"{{{Min}}}" : $"{{{Min},{Max}}}",
            };
            return $"{Enclosed(Of)}{bounds}{(IsReluctant ? "?" : "")}";
        }

        private protected override void Collect(List<string> names) => Of.Collect(names);
    }

    internal sealed record Permute(RowTree[] Parts) : RowTree
    {
        public override string ToString() => $"PERMUTE({string.Join(", ", Parts.Select(part => $"{part}"))})";

        private protected override void Collect(List<string> names) => Array.ForEach(Parts, part => part.Collect(names));
    }
}
