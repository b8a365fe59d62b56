using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A request that a mediator routes, with what stands in the places of its path.</summary>
/// <param name="Message">The request as it came.</param>
/// <param name="Template">The template that took its path.</param>
public sealed record MediatedRequest(Message Message, TopicTemplate Template)
{
    /// <summary>What stands in a place of the path: text from the network.</summary>
    /// <param name="place">The place's name.</param>
    /// <exception cref="ArgumentException">The template has no such place.</exception>
    public string this[string place]
    {
        get
        {
            Span<Range> values = stackalloc Range[TopicTemplate.MaxPlaces];
            for (int i = 0; i < Template.Names.Count; i++)
            {
                if (Template.Names[i] == place && Template.TryMatch(Message.Topic, values))
                {
                    return Message.Topic[values[i]];
                }
            }

            throw new ArgumentException($"'{Template}' has no place '{SafeText.Escape(place)}'.", nameof(place));
        }
    }
}

/// <summary>What a mediator answers.</summary>
/// <param name="Status">What became of the request, in HTTP's numbers, which CoAP writes with a point: 200, 404, 504.</param>
/// <param name="Message">The answer, or what the other side said to its refusal; null where there is none.</param>
/// <param name="Detail">Why there is no answer, safe to show; empty where there is one.</param>
/// <param name="RetryAfter">When it may be asked again; zero where that is not known.</param>
public sealed record MediatedAnswer(int Status, Message? Message, string Detail = "", TimeSpan RetryAfter = default)
{
    /// <summary>Whether the other side carried the request out, and said so.</summary>
    public bool IsSuccess => Status is >= 200 and < 300;
}

/// <summary>What a <see cref="Mediator"/> has counted.</summary>
/// <param name="Answered">Requests that were answered.</param>
/// <param name="Refused">That the other side refused, or failed at.</param>
/// <param name="NotTaken">That the filter or a transformation did not take, or that can't be a topic.</param>
/// <param name="NotRouted">For which there was no route.</param>
/// <param name="TimedOut">That had no answer in time.</param>
/// <param name="NotSent">That could not be sent.</param>
/// <param name="TooMany">For which there was no room.</param>
/// <param name="GivenUp">Whose callers went before they were answered.</param>
/// <param name="Pending">That wait now.</param>
public sealed record MediatorStatistics(long Answered, long Refused, long NotTaken, long NotRouted, long TimedOut, long NotSent, long TooMany, long GivenUp, int Pending);
