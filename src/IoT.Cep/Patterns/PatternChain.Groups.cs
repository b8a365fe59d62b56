using System.Runtime.CompilerServices;

namespace IoT.Cep;

public abstract partial class PatternChain<T>
{

    /// <summary>Then directly a group: a pattern inside the pattern. Its steps' handles are read from the match itself.</summary>
    /// <param name="group">The group: written in place, so that its handles stay in scope, or kept in a variable and used again; without a <c>Within</c> of its own.</param>
    public Pattern<T> Next(Pattern<T> group) => Then(GroupOf(Contiguity.Next, group));

    /// <summary>Then directly a repeated group: <c>m[groups]</c> is a list of its matches.</summary>
    /// <param name="groups">The group's handle: <c>out var flaps</c>.</param>
    /// <param name="times">How often.</param>
    /// <param name="group">The group: a pattern without a <c>Within</c> of its own.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    public RepeatedPattern<T> Next(
        out Group<T> groups, Times times, Pattern<T> group, [CallerArgumentExpression(nameof(groups))] string name = "")
    {
        groups = new Group<T>(name);
        return ThenRepeated(GroupOf(Contiguity.Next, group) with { Handle = groups }, times);
    }

    /// <summary>Then, with anything in between, a group: a pattern inside the pattern. Its steps' handles are read from the match itself.</summary>
    /// <param name="group">The group: written in place, so that its handles stay in scope, or kept in a variable and used again; without a <c>Within</c> of its own.</param>
    public Pattern<T> FollowedBy(Pattern<T> group) => Then(GroupOf(Contiguity.FollowedBy, group));

    /// <summary>Then, with anything in between, a repeated group: <c>m[groups]</c> is a list of its matches.</summary>
    /// <param name="groups">The group's handle: <c>out var flaps</c>.</param>
    /// <param name="times">How often.</param>
    /// <param name="group">The group: a pattern without a <c>Within</c> of its own.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    public RepeatedPattern<T> FollowedBy(
        out Group<T> groups, Times times, Pattern<T> group, [CallerArgumentExpression(nameof(groups))] string name = "")
    {
        groups = new Group<T>(name);
        return ThenRepeated(GroupOf(Contiguity.FollowedBy, group) with { Handle = groups }, times);
    }

    /// <summary>Then, with anything in between and in every combination, a group: a pattern inside the pattern. Its steps' handles are read from the match itself.</summary>
    /// <param name="group">The group: written in place, so that its handles stay in scope, or kept in a variable and used again; without a <c>Within</c> of its own.</param>
    public Pattern<T> FollowedByAny(Pattern<T> group) => Then(GroupOf(Contiguity.FollowedByAny, group));

    /// <summary>Then, with anything in between and in every combination, a repeated group: <c>m[groups]</c> is a list of its matches.</summary>
    /// <param name="groups">The group's handle: <c>out var flaps</c>.</param>
    /// <param name="times">How often.</param>
    /// <param name="group">The group: a pattern without a <c>Within</c> of its own.</param>
    /// <param name="name">The handle's source text; the compiler fills it in.</param>
    public RepeatedPattern<T> FollowedByAny(
        out Group<T> groups, Times times, Pattern<T> group, [CallerArgumentExpression(nameof(groups))] string name = "")
    {
        groups = new Group<T>(name);
        return ThenRepeated(GroupOf(Contiguity.FollowedByAny, group) with { Handle = groups }, times);
    }

    private static GroupNode<T> GroupOf(Contiguity how, Pattern<T> group)
    {
        ArgumentNullException.ThrowIfNull(group);
        group.RequireGroup(nameof(group));
        return group.Nodes is [GroupNode<T> { Handle: null } only] && only.Times == Times.Once
            ? only with { How = how }
            : new GroupNode<T>(how, [group.Nodes]);
    }
}
