namespace IoT.Cep.Conformance;

public sealed class ExpressionTests
{
    private static readonly Row _row = new(
        "e1", 7, "", new Dictionary<string, Value> { ["name"] = Value.Of("abc"), ["value"] = Value.Of(5), ["ts"] = Value.Of(7) });

    [Theory]
    [InlineData("value + 2 * 3 == 11", true)]
    [InlineData("(value + 2) * 3 == 21", true)]
    [InlineData("name == 'abc' && !(value < 5)", true)]
    [InlineData("missing == null", false)]
    [InlineData("missing != 1 || isNull(missing + 1)", true)]
    [InlineData("-value % 3 == 1", true)]
    [InlineData("startsWith(name, 'ab') && contains(name, 'c') && !contains(name, 'd')", true)]
    [InlineData("name != 3", true)]
    [InlineData("ts >= 7.0 && true", true)]
    public void Expression_is_read_as_the_notation_says(string text, bool expected) =>
        Assert.Equal(expected, Expression.Parse(text).Evaluate(new Scope(_row)).IsTrue);

    [Theory]
    [InlineData("value +")]
    [InlineData("(value")]
    [InlineData("value # 2")]
    [InlineData("sum(1)")]
    [InlineData("frob(value)")]
    [InlineData("value value")]
    public void Text_that_is_no_expression_is_refused(string text) => Assert.Throws<FormatException>(() => Expression.Parse(text));

    [Fact]
    public void Steps_are_known_by_name()
    {
        var expression = Expression.Parse("sum(a.value) > b.value && value > 1");
        Assert.Equal(["a", "b"], expression.Names.Order(StringComparer.Ordinal));
        Assert.Equal(["a"], expression.Lists);
    }

    [Fact]
    public void Row_pattern_is_read_as_a_tree()
    {
        var tree = Assert.IsType<RowTree.Concat>(RowPatternText.Parse("A B* (C | D)? E{2,3} F{,2} G{2,} H*? PERMUTE(A, B)"));
        Assert.Equal(8, tree.Parts.Length);
        Assert.Equal(new RowTree.Repeat(new RowTree.Var("E"), 2, 3, IsReluctant: false), tree.Parts[3]);
        Assert.Equal(new RowTree.Repeat(new RowTree.Var("F"), 0, 2, IsReluctant: false), tree.Parts[4]);
        Assert.Equal(new RowTree.Repeat(new RowTree.Var("G"), 2, null, IsReluctant: false), tree.Parts[5]);
        Assert.Equal(new RowTree.Repeat(new RowTree.Var("H"), 0, null, IsReluctant: true), tree.Parts[6]);
        Assert.IsType<RowTree.Permute>(tree.Parts[7]);
        Assert.Throws<FormatException>(() => RowPatternText.Parse("A (B"));
    }
}
