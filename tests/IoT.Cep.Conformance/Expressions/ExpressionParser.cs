using System.Globalization;
using System.Text.RegularExpressions;

namespace IoT.Cep.Conformance;

/// <summary>Reads an expression by descending from what binds loosest; each level gives a delegate.</summary>
internal sealed partial class ExpressionParser
{
    private static readonly string[][] _levels = [["||"], ["&&"], ["==", "!=", "<", "<=", ">", ">="], ["+", "-"], ["*", "/", "%"]];

    private readonly string _text;
    private readonly List<Token> _tokens = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly HashSet<string> _lists = new(StringComparer.Ordinal);
    private int _at;

    internal ExpressionParser(string text)
    {
        _text = text.TrimEnd();
        for (int i = 0; i < _text.Length;)
        {
            var found = TokenPattern().Match(_text, i);
            if (!found.Success)
            {
                throw new FormatException($"'{text}' can't be read from '{_text[i..]}' on.");
            }

            int kind = Enumerable.Range(1, 4).First(group => found.Groups[group].Success);
            _tokens.Add(new Token((TokenKind)kind, found.Groups[kind].Value));
            i = found.Index + found.Length;
        }

        _tokens.Add(new Token(TokenKind.End, ""));
    }

    internal Expression Parse()
    {
        var evaluate = Level(0);
        return _tokens[_at].Kind == TokenKind.End
            ? new Expression(_text, evaluate, _names, _lists)
            : throw new FormatException($"'{_text}' goes on with '{_tokens[_at].Text}' where it should end.");
    }

    private Evaluator Level(int level)
    {
        if (level == _levels.Length)
        {
            return Unary();
        }

        var left = Level(level + 1);
        while (_tokens[_at] is { Kind: TokenKind.Sign } sign && _levels[level].Contains(sign.Text))
        {
            _at++;
            left = Operators.Of(sign.Text, left, Level(level + 1));
        }

        return left;
    }

    private Evaluator Unary()
    {
        if (TakeSign("!"))
        {
            var negated = Unary();
            return (in scope) => Value.Of(!negated(in scope).IsTrue);
        }

        if (TakeSign("-"))
        {
            return Operators.Of("-", (in _) => Value.Of(0), Unary());
        }

        if (TakeSign("("))
        {
            var inner = Level(0);
            RequireSign(")");
            return inner;
        }

        var token = _tokens[_at++];
        switch (token.Kind)
        {
            case TokenKind.Number:
                var number = Value.Of(double.Parse(token.Text, CultureInfo.InvariantCulture));
                return (in _) => number;
            case TokenKind.Text:
                var text = Value.Of(token.Text);
                return (in _) => text;
            case TokenKind.Name:
                return Named(token.Text);
            default:
                throw new FormatException($"'{_text}' has '{token.Text}' where a value should be.");
        }
    }

    private Evaluator Named(string name)
    {
        if (name is "true" or "false" or "null")
        {
            var constant = name == "null" ? Value.Null : Value.Of(name == "true");
            return (in _) => constant;
        }

        if (TakeSign("("))
        {
            return Call(name);
        }

        if (TakeSign("."))
        {
            string field = RequireName();
            _names.Add(name);
            return (in scope) => scope.Bound(name) is { Count: > 0 and var count } bound ? bound.At(count - 1).Of(field) : Value.Null;
        }

        return (in scope) => scope.Current.Of(name);
    }

    private Evaluator Call(string function)
    {
        switch (function)
        {
            case "startsWith" or "contains":
                var (whole, part) = (Argument(), Argument());
                RequireSign(")");
                return function == "startsWith"
                    ? (in scope) => Value.Of(whole(in scope).Text is { } text && part(in scope).Text is { } start && text.StartsWith(start, StringComparison.Ordinal))
                    : (in scope) => Value.Of(whole(in scope).Text is { } text && part(in scope).Text is { } inner && text.Contains(inner, StringComparison.Ordinal));
            case "isNull":
                var asked = Argument();
                RequireSign(")");
                return (in scope) => Value.Of(asked(in scope).IsNull);
            case "count" or "sum" or "avg" or "min" or "max" or "first" or "last":
                return OfStep(function);
            default:
                throw new FormatException($"'{_text}' calls '{function}', which there is not in this dialect.");
        }
    }

    private Evaluator OfStep(string function)
    {
        string name = RequireName();
        _names.Add(name);
        _lists.Add(name);
        if (function == "count")
        {
            RequireSign(")");
            return (in scope) => Value.Of(scope.Bound(name).Count);
        }

        RequireSign(".");
        string field = RequireName();
        if (function is not ("first" or "last"))
        {
            RequireSign(")");
            return (in scope) => scope.Bound(name).Of(function, field);
        }

        Evaluator steps = TakeSign(",") ? Level(0) : (in _) => Value.Of(0);
        RequireSign(")");
        return (in scope) =>
        {
            var bound = scope.Bound(name);
            int inwards = (int)steps(in scope).Number;
            return inwards >= bound.Count ? Value.Null : bound.At(function == "first" ? inwards : bound.Count - 1 - inwards).Of(field);
        };
    }

    private Evaluator Argument()
    {
        var argument = Level(0);
        TakeSign(",");
        return argument;
    }

    private bool TakeSign(string sign)
    {
        bool isThere = _tokens[_at].Kind == TokenKind.Sign && _tokens[_at].Text == sign;
        _at += isThere ? 1 : 0;
        return isThere;
    }

    private void RequireSign(string sign)
    {
        if (!TakeSign(sign))
        {
            throw new FormatException($"'{_text}' has '{_tokens[_at].Text}' where '{sign}' should be.");
        }
    }

    private string RequireName() => _tokens[_at++] is { Kind: TokenKind.Name } token
        ? token.Text
        : throw new FormatException($"'{_text}' has no name where one should be.");

    [GeneratedRegex("""\G\s*(?:(\d+\.\d+|\d+)|'([^']*)'|([A-Za-z_][A-Za-z_0-9]*)|(==|!=|<=|>=|&&|\|\||[-+*/<>!().,%]))""")]
    private static partial Regex TokenPattern();

    private enum TokenKind
    {
        End,
        Number,
        Text,
        Name,
        Sign,
    }

    private readonly record struct Token(TokenKind Kind, string Text);
}
