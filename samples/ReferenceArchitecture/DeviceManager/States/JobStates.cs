using IoT.Reference.Contracts;

namespace IoT.Reference.DeviceManager.States;

/// <summary>What happens to a job.</summary>
internal enum JobCause
{
    Pause,
    Resume,
    Cancel,

    /// <summary>More of a stage's devices failed than may.</summary>
    TooManyFailed,

    /// <summary>The last stage is over.</summary>
    Finish,
}

/// <summary>The life of a job. Within <see cref="JobState.Running"/> it goes from stage to stage; where it is stands in the store, so that it goes on after a restart.</summary>
internal static class JobStates
{
    public static Transitions<JobState, JobCause> Table { get; } = new(
        (JobState.Running, JobCause.Pause, JobState.Paused),
        (JobState.Running, JobCause.Cancel, JobState.Cancelled),
        (JobState.Running, JobCause.TooManyFailed, JobState.Stopped),
        (JobState.Running, JobCause.Finish, JobState.Done),
        (JobState.Paused, JobCause.Resume, JobState.Running),
        (JobState.Paused, JobCause.Cancel, JobState.Cancelled));
}

/// <summary>Where one device of a job is.</summary>
internal enum ItemState
{
    Waiting,
    Sent,
    Done,
    Failed,
}
