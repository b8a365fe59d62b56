using IoT.Reference.Contracts;
using IoT.Reference.Identity.Xacml;

namespace IoT.Reference.Identity;

/// <summary>Cases in the manner of the XACML conformance suite (II A to II E): a policy, a request, a decision.</summary>
public sealed class XacmlTests
{
    private const string Types = "http://www.w3.org/2001/XMLSchema#";
    private const string One = "urn:oasis:names:tc:xacml:1.0:function:", Three = "urn:oasis:names:tc:xacml:3.0:function:";
    private const string Algorithm = "urn:oasis:names:tc:xacml:3.0:rule-combining-algorithm:";
    private static readonly DateTimeOffset _now = new(2026, 3, 4, 10, 30, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("deny-overrides", "PD", false)]
    [InlineData("deny-overrides", "PN", true)]
    [InlineData("deny-overrides", "N", false)]
    [InlineData("deny-overrides", "Pd", false)]
    [InlineData("deny-overrides", "Pp", true)]
    [InlineData("permit-overrides", "DP", true)]
    [InlineData("permit-overrides", "dP", true)]
    [InlineData("permit-overrides", "Dp", false)]
    [InlineData("permit-overrides", "DN", false)]
    [InlineData("first-applicable", "NPD", true)]
    [InlineData("first-applicable", "NDP", false)]
    [InlineData("first-applicable", "dP", false)]
    [InlineData("first-applicable", "pP", false)]
    [InlineData("deny-unless-permit", "NdP", true)]
    [InlineData("deny-unless-permit", "Np", false)]
    [InlineData("permit-unless-deny", "NdP", true)]
    [InlineData("permit-unless-deny", "PD", false)]
    [InlineData("permit-unless-deny", "N", true)]
    [Trait("Requirement", "R39")]
    public void Rules_are_combined_as_the_algorithm_says(string algorithm, string rules, bool isPermitted)
    {
        // P and D permit and deny, p and d fail while they would, N does not apply.
        string fails = $"""<Condition><Apply FunctionId="{One}boolean-one-and-only">{Attribute("urn:nobody:sends:this", "boolean")}</Apply></Condition>""";
        string text = string.Concat(rules.Select((r, i) => $"""
            <Rule RuleId="r{i}" Effect="{(char.ToUpperInvariant(r) == 'D' ? "Deny" : "Permit")}">
              {(r == 'N' ? Target("action", "something else") : "<Target/>")}{(char.IsLower(r) ? fails : "")}
            </Rule>
            """));
        Assert.Equal(isPermitted, Decide(Policy(text, Algorithm + algorithm)).Permitted);
    }

    [Theory]
    [InlineData("PolicySet", "urn:oasis:names:tc:xacml:1.0:policy-combining-algorithm:only-one-applicable", "read", "write", true)]
    [InlineData("PolicySet", "urn:oasis:names:tc:xacml:1.0:policy-combining-algorithm:only-one-applicable", "read", "read", false)]
    [InlineData("PolicySet", "urn:oasis:names:tc:xacml:3.0:policy-combining-algorithm:deny-overrides", "read", "read", true)]
    [Trait("Requirement", "R39")]
    public void Policies_of_a_set_are_combined_too(string element, string algorithm, string first, string second, bool isPermitted)
    {
        string Inner(string id, string action) => $"""
            <Policy PolicyId="{id}" Version="1.0" RuleCombiningAlgId="{Algorithm}deny-overrides">{Target("action", action)}<Rule RuleId="r" Effect="Permit"/></Policy>
            """;
        string set = $"""
            <{element} xmlns="urn:oasis:names:tc:xacml:3.0:core:schema:wd-17" PolicySetId="p" Version="1.0" PolicyCombiningAlgId="{algorithm}"><Target/>{Inner("a", first)}{Inner("b", second)}</{element}>
            """;
        Assert.Equal(isPermitted, Decide(set).Permitted);
    }

    public static TheoryData<string, bool> Conditions => new()
    {
        { Call("string-equal", Value("a"), Value("a")), true },
        { Call("string-equal", Value("a"), Value("b")), false },
        { Call("integer-equal", Value("4", "integer"), Call("integer-add", Value("1", "integer"), Value("3", "integer"))), true },
        { Call("integer-equal", Value("1", "integer"), Call("integer-divide", Value("1", "integer"), Value("0", "integer"))), false },
        { Call("integer-greater-than", Value("5", "integer"), Value("4", "integer")), true },
        { Call("double-less-than-or-equal", Value("1.5", "double"), Value("1.5", "double")), true },
        { Call("not", Call("string-equal", Value("a"), Value("b"))), true },
        { Call("and"), true },
        { Call("or"), false },
        { Call("n-of", Value("2", "integer"), Value("true", "boolean"), Value("false", "boolean"), Value("true", "boolean")), true },
        { Call("n-of", Value("2", "integer"), Value("true", "boolean"), Value("false", "boolean")), false },
        { Call("or", Call("boolean-one-and-only", Call("boolean-bag")), Value("true", "boolean")), true },
        { Call("string-is-in", Value("b"), Call("string-bag", Value("a"), Value("b"))), true },
        { Call("string-subset", Call("string-bag", Value("a")), Call("string-bag", Value("a"), Value("b"))), true },
        { Call("string-set-equals", Call("string-bag", Value("b"), Value("a"), Value("a")), Call("string-bag", Value("a"), Value("b"))), true },
        { Call("integer-equal", Value("1", "integer"), Call("string-bag-size", Call("string-intersection", Call("string-bag", Value("a"), Value("c")), Call("string-bag", Value("a"), Value("b"))))), true },
        { Call("string-regexp-match", Value("^dev-[0-9]+$"), Value("dev-12")), true },
        { Call("string-regexp-match", Value("("), Value("dev-12")), false },
        { Call(Three + "string-starts-with", Value("dev"), Value("dev-12")), true },
        { Call(Three + "string-ends-with", Value("13"), Value("dev-12")), false },
        { Call("urn:oasis:names:tc:xacml:2.0:function:time-in-range", Value("23:30:00Z", "time"), Value("22:00:00Z", "time"), Value("06:00:00Z", "time")), true },
        { Call("urn:oasis:names:tc:xacml:2.0:function:time-in-range", Value("12:00:00Z", "time"), Value("22:00:00Z", "time"), Value("06:00:00Z", "time")), false },
        { Call("dateTime-less-than", Value("2026-03-04T12:30:00+02:00", "dateTime"), Value("2026-03-04T10:30:01Z", "dateTime")), true },
        { Call("dateTime-equal", Call(Three + "dateTime-add-dayTimeDuration", Value("2026-03-04T10:00:00Z", "dateTime"), Value("PT30M", "dayTimeDuration")), Value("2026-03-04T10:30:00Z", "dateTime")), true },
        { Call("dateTime-equal", Call("dateTime-one-and-only", Attribute("urn:oasis:names:tc:xacml:1.0:environment:current-dateTime", "dateTime", "urn:oasis:names:tc:xacml:3.0:attribute-category:environment")), Value("2026-03-04T10:30:00Z", "dateTime")), true },
        { Call(Three + "any-of", Function("string-equal"), Value("b"), Call("string-bag", Value("a"), Value("b"))), true },
        { Call(Three + "all-of", Function("string-equal"), Value("b"), Call("string-bag", Value("a"), Value("b"))), false },
        { Call(Three + "any-of-any", Function("string-equal"), Call("string-bag", Value("x"), Value("b")), Call("string-bag", Value("a"), Value("b"))), true },
        { Call("all-of-any", Function("integer-greater-than"), Call("integer-bag", Value("10", "integer"), Value("20", "integer")), Call("integer-bag", Value("1", "integer"), Value("19", "integer"))), true },
        { Call("any-of-all", Function("integer-greater-than"), Call("integer-bag", Value("3", "integer"), Value("5", "integer")), Call("integer-bag", Value("1", "integer"), Value("4", "integer"))), true },
        { Call("all-of-all", Function("integer-greater-than"), Call("integer-bag", Value("6", "integer"), Value("5", "integer")), Call("integer-bag", Value("1", "integer"), Value("4", "integer"))), true },
        { Call("string-is-in", Value("abc"), Call(Three + "map", Function("string-normalize-to-lower-case"), Call("string-bag", Value("ABC"), Value("D")))), true },
    };

    [Theory]
    [MemberData(nameof(Conditions))]
    [Trait("Requirement", "R39")]
    public void A_condition_holds_or_it_does_not(string condition, bool isPermitted) =>
        Assert.Equal(isPermitted, Decide(Policy($"<Rule RuleId=\"r\" Effect=\"Permit\"><Condition>{condition}</Condition></Rule>")).Permitted);

    [Fact]
    [Trait("Requirement", "R39")]
    public void Obligations_of_what_decided_are_given_with_what_they_hold()
    {
        string obligation(string id, string on, string value) => $"""
            <ObligationExpression ObligationId="urn:iot:obligation:{id}" FulfillOn="{on}"><AttributeAssignmentExpression AttributeId="field">{Value(value)}</AttributeAssignmentExpression></ObligationExpression>
            """;
        string rule = $"<Rule RuleId=\"r\" Effect=\"Permit\"><ObligationExpressions>{obligation("mask", "Permit", "location")}</ObligationExpressions></Rule>"
            + $"<ObligationExpressions><ObligationExpression ObligationId=\"urn:iot:obligation:audit\" FulfillOn=\"Permit\"/>{obligation("never", "Deny", "x")}</ObligationExpressions>";

        var decision = Decide(Policy(rule));

        Assert.True(decision.Permitted);
        Assert.Equal(["mask:location", "audit"], decision.Obligations);
        Assert.Equal("p", decision.Policy);
    }

    [Fact]
    [Trait("Requirement", "R39")]
    public void An_obligation_that_can_not_be_made_makes_its_permission_none()
    {
        string rule = $"""
            <Rule RuleId="r" Effect="Permit"><ObligationExpressions><ObligationExpression ObligationId="o" FulfillOn="Permit">
              <AttributeAssignmentExpression AttributeId="x">{Attribute("urn:nobody:sends:this", "string").Replace("\"false\"", "\"true\"", StringComparison.Ordinal)}</AttributeAssignmentExpression>
            </ObligationExpression></ObligationExpressions></Rule>
            """;
        Assert.False(Decide(Policy(rule)).Permitted);
    }

    [Fact]
    [Trait("Requirement", "R39")]
    [Trait("Requirement", "R67")]
    public void Without_a_policy_everything_is_denied() => Assert.False(Decide(null).Permitted);

    [Theory]
    [InlineData("<x/>", "expected a Policy")]
    [InlineData("no xml", "no XML")]
    [InlineData("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/hosts\">]><x>&e;</x>", "no XML")]
    [Trait("Requirement", "R39")]
    public void What_is_no_policy_is_refused(string xml, string message) =>
        Assert.Contains(message, Assert.Throws<PolicyException>(() => new PolicyEngine().Parse(xml)).Message, StringComparison.Ordinal);

    public static TheoryData<string, string> Wrong => new()
    {
        { Call("no-such-function", Value("a")), "not known" },
        { Call("string-equal", Value("a")), "takes 2 arguments" },
        { Call("string-equal", Value("a"), Value("1", "integer")), "must be one string" },
        { Call("string-equal", Value("a"), Attribute("urn:x", "string")), "must be one string, and is a bag of string" },
        { Value("a"), "must be one boolean" },
        { Value("x", "integer"), "is no integer" },
        { "<AttributeSelector/>", "not known here" },
        { "<VariableReference VariableId=\"v\"/>", "not defined before" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    [Trait("Requirement", "R39")]
    public void A_condition_that_can_not_be_understood_is_refused_with_its_line(string condition, string message)
    {
        var thrown = Assert.Throws<PolicyException>(() => new PolicyEngine().Parse(Policy($"<Rule RuleId=\"r\" Effect=\"Permit\"><Condition>{condition}</Condition></Rule>")));
        Assert.Contains(message, thrown.Message, StringComparison.Ordinal);
        Assert.Contains("Line ", thrown.Message, StringComparison.Ordinal);
    }

    private static string Value(string text, string type = "string") => $"<AttributeValue DataType=\"{Types}{type}\">{text}</AttributeValue>";

    private static string Attribute(string id, string type, string category = "urn:oasis:names:tc:xacml:1.0:subject-category:access-subject") =>
        $"<AttributeDesignator Category=\"{category}\" AttributeId=\"{id}\" DataType=\"{Types}{type}\" MustBePresent=\"false\"/>";

    private static string Call(string function, params string[] arguments) =>
        $"<Apply FunctionId=\"{(function.StartsWith("urn", StringComparison.Ordinal) ? function : One + function)}\">{string.Concat(arguments)}</Apply>";

    private static string Function(string name) => $"<Function FunctionId=\"{One}{name}\"/>";

    private static string Target(string what, string value) => $"""
        <Target><AnyOf><AllOf><Match MatchId="{One}string-equal">{Value(value)}{Attribute($"urn:oasis:names:tc:xacml:1.0:{what}:{what}-id", "string", "urn:oasis:names:tc:xacml:3.0:attribute-category:" + what)}</Match></AllOf></AnyOf></Target>
        """;

    private static string Policy(string rules, string algorithm = Algorithm + "deny-overrides") => $"""
        <Policy xmlns="urn:oasis:names:tc:xacml:3.0:core:schema:wd-17" PolicyId="p" Version="1.0" RuleCombiningAlgId="{algorithm}">
          <Target/>{rules}
        </Policy>
        """;

    private static Decision Decide(string? xml)
    {
        var engine = new PolicyEngine();
        engine.Use(xml is null ? [] : [engine.Parse(xml)]);
        var request = new DecisionRequest(new Subject("alice", SubjectKind.Person), "read", "device:d1");
        return engine.Decide(request, new ResourceView(null, false, null, []), _now, new PolicyRequest());
    }
}
