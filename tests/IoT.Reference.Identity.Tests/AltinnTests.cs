using System.Xml;
using Altinn.Authorization.ABAC;
using Altinn.Authorization.ABAC.Utils;
using Altinn.Authorization.ABAC.Xacml;

namespace IoT.Reference.Identity;

/// <summary>Why the engine is not Altinn.Authorization.ABAC 0.3: what the policies here need and it does not do. If an update makes one of these fail, docs/decisions/0037 is to be looked at again.</summary>
public sealed class AltinnTests
{
    private const string Namespace = "xmlns=\"urn:oasis:names:tc:xacml:3.0:core:schema:wd-17\"";
    private const string String = "http://www.w3.org/2001/XMLSchema#string", One = "urn:oasis:names:tc:xacml:1.0:function:";

    [Fact]
    public void It_decides_by_a_plain_rule() => Assert.Equal("Permit", Decide(""));

    [Fact]
    public void It_does_not_take_a_function_of_a_function() => Assert.NotEqual("Permit", Decide($"""
        <Condition><Apply FunctionId="{One}not"><Apply FunctionId="{One}string-equal"><AttributeValue DataType="{String}">a</AttributeValue><AttributeValue DataType="{String}">b</AttributeValue></Apply></Apply></Condition>
        """));

    [Fact]
    public void It_does_not_compare_times() => Assert.NotEqual("Permit", Decide($"""
        <Condition><Apply FunctionId="{One}dateTime-less-than"><AttributeValue DataType="http://www.w3.org/2001/XMLSchema#dateTime">2026-01-01T00:00:00Z</AttributeValue><AttributeValue DataType="http://www.w3.org/2001/XMLSchema#dateTime">2026-01-02T00:00:00Z</AttributeValue></Apply></Condition>
        """));

    [Fact]
    public void It_does_not_compare_two_attributes_of_a_request() => Assert.NotEqual("Permit", Decide($"""
        <Condition><Apply FunctionId="{One}string-at-least-one-member-of">{Designator("urn:owner")}{Designator("urn:subject")}</Apply></Condition>
        """));

    [Fact]
    public void It_takes_no_policy_set() => Assert.ThrowsAny<Exception>(() => Parse($"""
        <PolicySet {Namespace} PolicySetId="s" Version="1.0" PolicyCombiningAlgId="urn:oasis:names:tc:xacml:3.0:policy-combining-algorithm:deny-overrides"><Target/></PolicySet>
        """));

    private static string Designator(string id) =>
        $"<AttributeDesignator Category=\"urn:oasis:names:tc:xacml:1.0:subject-category:access-subject\" AttributeId=\"{id}\" DataType=\"{String}\" MustBePresent=\"false\"/>";

    private static XacmlPolicy Parse(string xml)
    {
        using var reader = XmlReader.Create(new StringReader(xml));
        return XacmlParser.ParseXacmlPolicy(reader);
    }

    // What it says, or what it throws: for whoever asks that is the same, no permission.
    private static string Decide(string condition)
    {
        string rule = $"""
            <Policy {Namespace} PolicyId="urn:p" Version="1.0" RuleCombiningAlgId="urn:oasis:names:tc:xacml:3.0:rule-combining-algorithm:deny-overrides"><Target/>
            <Rule RuleId="urn:r" Effect="Permit"><Target><AnyOf><AllOf><Match MatchId="{One}string-equal"><AttributeValue DataType="{String}">alice</AttributeValue>{Designator("urn:subject")}</Match></AllOf></AnyOf></Target>{condition}</Rule></Policy>
            """;
        var category = new Uri("urn:oasis:names:tc:xacml:1.0:subject-category:access-subject");
        XacmlAttribute Attribute(string id)
        {
            var attribute = new XacmlAttribute(new Uri(id), false);
            attribute.AttributeValues.Add(new XacmlAttributeValue(new Uri(String), "alice"));
            return attribute;
        }

        var request = new XacmlContextRequest(false, false, [new XacmlContextAttributes(category, [Attribute("urn:subject"), Attribute("urn:owner")])]);
        try
        {
            return new PolicyDecisionPoint().Authorize(request, Parse(rule)).Results.First().Decision.ToString();
        }
        catch (Exception e) when (e is NotImplementedException or NotSupportedException or XmlException or InvalidOperationException or ArgumentException or KeyNotFoundException or NullReferenceException)
        {
            return e.GetType().Name;
        }
    }
}
