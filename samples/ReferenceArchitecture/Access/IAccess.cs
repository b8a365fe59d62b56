using IoT.Reference.Contracts;

namespace IoT.Reference.Access;

/// <summary>What an entrance needs to know: who somebody is and what he may do. <see cref="AccessPoint"/> asks <c>Identity</c>; <c>Identity</c> answers its own entrances itself.</summary>
public interface IAccess
{
    /// <summary>Whose token this is; null where it is not valid now.</summary>
    /// <param name="bearerToken">The token: text from the network.</param>
    ValueTask<Subject?> AuthenticateAsync(string bearerToken);

    /// <summary>Whether somebody may do something; denied where nothing permits it.</summary>
    /// <param name="subject">Who.</param>
    /// <param name="action">What: <see cref="Actions"/>.</param>
    /// <param name="resource">On what: <see cref="Resources"/>.</param>
    ValueTask<Decision> DecideAsync(Subject subject, string action, string resource);

    /// <summary>Tells of a refusal. Must not block.</summary>
    /// <param name="subject">Who; null where nobody proved who he is.</param>
    /// <param name="action">What.</param>
    /// <param name="resource">On what.</param>
    /// <param name="detail">Why.</param>
    /// <param name="origin">The address it came from.</param>
    void Refused(Subject? subject, string action, string resource, string detail, string? origin);

    /// <summary>Tells of what was permitted with the obligation <c>audit</c>. Must not block.</summary>
    /// <param name="subject">Who.</param>
    /// <param name="action">What.</param>
    /// <param name="resource">On what.</param>
    /// <param name="origin">The address it came from.</param>
    void Permitted(Subject subject, string action, string resource, string? origin);
}
