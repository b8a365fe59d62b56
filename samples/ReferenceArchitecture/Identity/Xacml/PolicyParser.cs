using System.Xml;
using System.Xml.Linq;

namespace IoT.Reference.Identity.Xacml;

/// <summary>
/// Reads policies and policy sets of XACML 3.0. What it does not know (a function, a type, an element) it refuses, with line and name: a policy that is understood by half decides wrongly.
/// Not understood: AttributeSelector and XPath (requests here have no XML content), references to other files, administration profiles.
/// </summary>
internal sealed class PolicyParser
{
    /// <summary>A policy is some pages of text.</summary>
    internal const int MaxChars = 256 * 1024;

    private const int MaxDepth = 32, MaxNodes = 10_000;

    private static readonly XNamespace _xacml = "urn:oasis:names:tc:xacml:3.0:core:schema:wd-17";
    private const string FunctionPrefix = "urn:oasis:names:tc:xacml:";

    private readonly AttributeSlots _slots;
    private readonly HashSet<string> _ids = new(StringComparer.Ordinal);
    private Dictionary<string, Expression> _variables = [];
    private int _depth;
    private int _nodes;

    private PolicyParser(AttributeSlots slots) => _slots = slots;

    /// <exception cref="PolicyException">It is no policy that this can decide by; the message says where and why.</exception>
    internal static PolicyNode Parse(string xml, AttributeSlots slots)
    {
        if (xml.Length > MaxChars)
        {
            throw new PolicyException($"A policy has at most {MaxChars} characters.");
        }

        try
        {
            // No document type: neither entities that grow nor files of this machine.
            var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, MaxCharactersInDocument = MaxChars, IgnoreComments = true, IgnoreProcessingInstructions = true };
            using var reader = XmlReader.Create(new StringReader(xml), settings);
            var root = XDocument.Load(reader, LoadOptions.SetLineInfo | LoadOptions.PreserveWhitespace).Root!;
            return new PolicyParser(slots).ParsePolicy(root);
        }
        catch (XmlException e)
        {
            throw new PolicyException("This is no XML: " + e.Message, e);
        }
    }

    private PolicyGroup ParsePolicy(XElement element)
    {
        bool isSet = element.Name == _xacml + "PolicySet";
        if (!isSet && element.Name != _xacml + "Policy")
        {
            throw Wrong(element, $"expected a Policy or PolicySet of {_xacml.NamespaceName}");
        }

        Enter(element);
        string id = Required(element, isSet ? "PolicySetId" : "PolicyId");
        if (!_ids.Add(id))
        {
            throw Wrong(element, $"the id {id} is there twice");
        }

        var algorithm = CombiningAlgorithms.Of(Required(element, isSet ? "PolicyCombiningAlgId" : "RuleCombiningAlgId"));
        if (algorithm is null || (!isSet && algorithm == Combining.OnlyOneApplicable))
        {
            throw Wrong(element, "the combining algorithm is not known");
        }

        // Variables are those of their policy.
        var outer = _variables;
        _variables = [];
        var target = Target.Everything;
        var children = new List<PolicyNode>();
        ObligationExpression[] obligations = [];
        foreach (var child in element.Elements())
        {
            switch (child.Name.LocalName)
            {
                case "Description" or "PolicyDefaults" or "PolicySetDefaults" or "AdviceExpressions":
                    break;
                case "Target":
                    target = ParseTarget(child);
                    break;
                case "VariableDefinition" when !isSet:
                    _variables[Required(child, "VariableId")] = ParseExpression(Only(child));
                    break;
                case "Rule" when !isSet:
                    children.Add(ParseRule(child));
                    break;
                case "Policy" or "PolicySet" when isSet:
                    children.Add(ParsePolicy(child));
                    break;
                case "ObligationExpressions":
                    obligations = ParseObligations(child);
                    break;
                default:
                    throw Wrong(child, "is not known here");
            }
        }

        _variables = outer;
        _depth--;
        return new PolicyGroup(id, target, algorithm.Value, [.. children], obligations);
    }

    private Rule ParseRule(XElement element)
    {
        var effect = Required(element, "Effect") switch
        {
            "Permit" => Effect.Permit,
            "Deny" => Effect.Deny,
            _ => throw Wrong(element, "Effect is Permit or Deny"),
        };
        var target = Target.Everything;
        Expression? condition = null;
        ObligationExpression[] obligations = [];
        foreach (var child in element.Elements())
        {
            switch (child.Name.LocalName)
            {
                case "Description" or "AdviceExpressions":
                    break;
                case "Target":
                    target = ParseTarget(child);
                    break;
                case "Condition":
                    condition = Typed(child, ParseExpression(Only(child)), new Parameter(DataType.Boolean));
                    break;
                case "ObligationExpressions":
                    obligations = ParseObligations(child);
                    break;
                default:
                    throw Wrong(child, "is not known here");
            }
        }

        return new Rule(Required(element, "RuleId"), effect, target, condition, obligations);
    }

    private Target ParseTarget(XElement element) =>
        new([.. element.Elements().Select(anyOf =>
            NotEmpty(anyOf, "AnyOf").Select(allOf =>
                NotEmpty(allOf, "AllOf").Select(ParseMatch).ToArray()).ToArray())]);

    private Match ParseMatch(XElement element)
    {
        Expect(element, "Match");
        var function = FunctionOf(element, Required(element, "MatchId"));
        var parts = element.Elements().ToArray();
        if (parts.Length != 2 || function is not { Returns: DataType.Boolean, ReturnsBag: false, Parameters.Length: 2 })
        {
            throw Wrong(element, "needs a boolean function of two, an AttributeValue and an AttributeDesignator");
        }

        var value = Typed(parts[0], ParseExpression(parts[0]), function.Parameters[0]) as Constant ?? throw Wrong(parts[0], "must be an AttributeValue");
        var attribute = Typed(parts[1], ParseExpression(parts[1]), function.Parameters[1] with { IsBag = true });
        return new Match(function, value.Value, attribute);
    }

    private ObligationExpression[] ParseObligations(XElement element) => [.. element.Elements().Select(o =>
    {
        Expect(o, "ObligationExpression");
        return new ObligationExpression(
            Required(o, "ObligationId"),
            Required(o, "FulfillOn") switch { "Permit" => Effect.Permit, "Deny" => Effect.Deny, _ => throw Wrong(o, "FulfillOn is Permit or Deny") },
            [.. o.Elements().Select(a => (Required(Expect(a, "AttributeAssignmentExpression"), "AttributeId"), ParseExpression(Only(a))))]);
    })];

    private Expression ParseExpression(XElement element)
    {
        Enter(element);
        Expression parsed = element.Name.LocalName switch
        {
            "AttributeValue" => ParseValue(element),
            "AttributeDesignator" => ParseDesignator(element),
            "VariableReference" => _variables.GetValueOrDefault(Required(element, "VariableId")) ?? throw Wrong(element, "names a variable that is not defined before"),
            "Apply" => ParseApply(element),
            _ => throw Wrong(element, "is not known here"),
        };
        _depth--;
        return parsed;
    }

    private static Constant ParseValue(XElement element)
    {
        var type = TypeOf(element);
        try
        {
            return new Constant(type, DataTypes.Parse(type, element.Value));
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            throw Wrong(element, $"is no {DataTypes.NameOf(type)}");
        }
    }

    private Designator ParseDesignator(XElement element)
    {
        var type = TypeOf(element);
        string id = Required(element, "AttributeId");
        return new Designator(type, id, _slots.Of(Required(element, "Category"), id, type), Required(element, "MustBePresent") is "true" or "1");
    }

    private Expression ParseApply(XElement element)
    {
        string name = NameOf(element, Required(element, "FunctionId"));
        var children = element.Elements().ToArray();
        if (children is [{ Name.LocalName: "Function" }, ..])
        {
            return ParseHigherOrder(element, name, children);
        }

        Expression[] arguments = [.. children.Select(ParseExpression)];
        switch (name)
        {
            case "and" or "or":
                CheckAll(children, arguments, 0);
                return name == "and" ? new AllTrue(arguments) : new AtLeast(null, arguments);
            case "n-of" when arguments.Length > 0:
                CheckAll(children, arguments, 1);
                return new AtLeast(Typed(children[0], arguments[0], new Parameter(DataType.Integer)), arguments[1..]);
        }

        var function = FunctionOf(element, Required(element, "FunctionId"));
        int count = function.Parameters.Length;
        if (arguments.Length != count && !(function.IsRepeated && arguments.Length >= count - 1))
        {
            throw Wrong(element, $"{name} takes {count} arguments, and not {arguments.Length}");
        }

        for (int i = 0; i < arguments.Length; i++)
        {
            Typed(children[i], arguments[i], function.Parameters[Math.Min(i, count - 1)]);
        }

        return new Apply(function, arguments);
    }

    private HigherOrder ParseHigherOrder(XElement element, string name, XElement[] children)
    {
        var function = FunctionOf(children[0], Required(children[0], "FunctionId"));
        Expression[] arguments = [.. children.Skip(1).Select(ParseExpression)];
        bool isMap = name == "map", isOfTwo = name is "any-of-any" or "all-of-any" or "any-of-all" or "all-of-all";
        if (!isMap && !isOfTwo && name is not ("any-of" or "all-of"))
        {
            throw Wrong(element, $"the function {name} is not known");
        }

        int bags = arguments.Count(static a => a.IsBag);
        if (arguments.Length != function.Parameters.Length || function.Parameters.Any(static p => p.IsBag) || function.ReturnsBag
            || (!isMap && function.Returns != DataType.Boolean) || (isOfTwo ? arguments.Length != 2 || bags != 2 : bags != 1)
            || arguments.Where((a, i) => a.Type != function.Parameters[i].Type).Any())
        {
            throw Wrong(element, $"{name} and {function.Name} do not fit their arguments");
        }

        return new HigherOrder(name, function, arguments, isMap ? function.Returns : DataType.Boolean, isMap);
    }

    private static void CheckAll(XElement[] places, Expression[] arguments, int from)
    {
        for (int i = from; i < arguments.Length; i++)
        {
            Typed(places[i], arguments[i], new Parameter(DataType.Boolean));
        }
    }

    private static Expression Typed(XElement place, Expression expression, Parameter wanted) =>
        expression.Type == wanted.Type && expression.IsBag == wanted.IsBag ? expression
        : throw Wrong(place, $"must be {(wanted.IsBag ? "a bag of " : "one ")}{DataTypes.NameOf(wanted.Type)}, and is {(expression.IsBag ? "a bag of " : "one ")}{DataTypes.NameOf(expression.Type)}");

    private static string NameOf(XElement place, string id)
    {
        int at = id.IndexOf(":function:", StringComparison.Ordinal);
        return at > 0 && id.StartsWith(FunctionPrefix, StringComparison.Ordinal) ? id[(at + ":function:".Length)..] : throw Wrong(place, $"the function {id} is not known");
    }

    private static Function FunctionOf(XElement place, string id) => Functions.Find(NameOf(place, id)) ?? throw Wrong(place, $"the function {id} is not known");

    private static DataType TypeOf(XElement element)
    {
        string type = Required(element, "DataType");
        return DataTypes.Of(type) ?? throw Wrong(element, $"the type {type} is not known");
    }

    private static XElement Only(XElement element) => element.Elements().ToArray() is [var only] ? only : throw Wrong(element, "must hold one expression");

    private static IEnumerable<XElement> NotEmpty(XElement element, string name) => Expect(element, name).HasElements ? element.Elements() : throw Wrong(element, "must not be empty");

    private static XElement Expect(XElement element, string name) => element.Name == _xacml + name ? element : throw Wrong(element, $"is not {name}");

    private static string Required(XElement element, string attribute) => element.Attribute(attribute)?.Value is { Length: > 0 and <= 512 } value ? value : throw Wrong(element, $"has no {attribute}");

    private void Enter(XElement element)
    {
        if (++_depth > MaxDepth || ++_nodes > MaxNodes)
        {
            throw Wrong(element, $"is too deep ({MaxDepth}) or one too many ({MaxNodes})");
        }
    }

    private static PolicyException Wrong(XElement element, string what) =>
        new($"Line {(element as IXmlLineInfo).LineNumber}: <{element.Name.LocalName}> {what}.");
}
