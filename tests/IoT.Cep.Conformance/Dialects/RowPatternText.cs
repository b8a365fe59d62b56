using System.Globalization;
using System.Text.RegularExpressions;

namespace IoT.Cep.Conformance;

/// <summary>A row pattern as a tree, which is to be put into a builder's words.</summary>
internal abstract record RowTree
{
    internal sealed record Var(string Name) : RowTree;

    internal sealed record Concat(RowTree[] Parts) : RowTree;

    internal sealed record Alternation(RowTree[] Parts) : RowTree;

    internal sealed record Repeat(RowTree Of, int Min, int? Max, bool IsReluctant) : RowTree;

    internal sealed record Permute(RowTree[] Parts) : RowTree;
}

/// <summary>Reads <c>A B* (C | D)? E{2,3} F{,2} G{2,} H*? PERMUTE(A, B)</c>.</summary>
internal sealed partial class RowPatternText
{
    private readonly string _text;
    private readonly List<string> _tokens = [];
    private int _at;

    private RowPatternText(string text)
    {
        _text = text;
        for (int i = 0; i < text.TrimEnd().Length;)
        {
            var found = TokenPattern().Match(text, i);
            if (!found.Success)
            {
                throw new FormatException($"The row pattern '{text}' can't be read from '{text[i..]}' on.");
            }

            _tokens.Add(found.Groups[1].Value);
            i = found.Index + found.Length;
        }
    }

    /// <exception cref="FormatException">It is not of the language.</exception>
    internal static RowTree Parse(string text)
    {
        var reader = new RowPatternText(text);
        var tree = reader.Alternatives();
        return reader._at == reader._tokens.Count ? tree : throw reader.Unexpected();
    }

    private string Next => _at < _tokens.Count ? _tokens[_at] : "";

    private RowTree Alternatives()
    {
        var parts = new List<RowTree> { Sequence() };
        while (Take("|"))
        {
            parts.Add(Sequence());
        }

        return parts is [var only] ? only : new RowTree.Alternation([.. parts]);
    }

    private RowTree Sequence()
    {
        var parts = new List<RowTree>();
        while (Next is not ("" or "|" or ")" or ","))
        {
            parts.Add(Quantified());
        }

        return parts is [var only] ? only : new RowTree.Concat([.. parts]);
    }

    private RowTree Quantified()
    {
        var tree = Atom();
        while (Next is "*" or "+" or "?" || Next.StartsWith('{'))
        {
            var (min, max) = BoundsOf(_tokens[_at++]);
            tree = new RowTree.Repeat(tree, min, max, Take("?"));
        }

        return tree;
    }

    private static (int Min, int? Max) BoundsOf(string quantifier)
    {
        if (quantifier is "*" or "+" or "?")
        {
            return (quantifier == "+" ? 1 : 0, quantifier == "?" ? 1 : null);
        }

        string[] bounds = quantifier[1..^1].Split(',');
        int min = bounds[0].Length == 0 ? 0 : int.Parse(bounds[0], CultureInfo.InvariantCulture);
        return (min, bounds switch { [_] => min, [_, ""] => null, _ => int.Parse(bounds[1], CultureInfo.InvariantCulture) });
    }

    private RowTree Atom()
    {
        if (Take("("))
        {
            var inner = Alternatives();
            Require(")");
            return inner;
        }

        string name = Next;
        if (name.Length == 0 || !(char.IsAsciiLetter(name[0]) || name[0] == '_'))
        {
            throw Unexpected();
        }

        _at++;
        if (name != "PERMUTE")
        {
            return new RowTree.Var(name);
        }

        Require("(");
        var parts = new List<RowTree> { Alternatives() };
        while (Take(","))
        {
            parts.Add(Alternatives());
        }

        Require(")");
        return new RowTree.Permute([.. parts]);
    }

    private bool Take(string token)
    {
        bool isThere = Next == token;
        _at += isThere ? 1 : 0;
        return isThere;
    }

    private void Require(string token)
    {
        if (!Take(token))
        {
            throw Unexpected();
        }
    }

    private FormatException Unexpected() => new($"The row pattern '{_text}' has '{Next}' where something else should be.");

    [GeneratedRegex("""\G\s*([A-Za-z_]\w*|\{\d*,?\d*\}|[()|,*+?])""")]
    private static partial Regex TokenPattern();
}
