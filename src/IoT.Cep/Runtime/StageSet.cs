namespace IoT.Cep;

/// <summary>The stages of an engine: the ingress, and for each depth of exchange its shards and the stage that gathers them.</summary>
internal sealed class StageSet(int shards)
{
    private readonly Dictionary<(int Depth, int Shard), Stage> _stages = [];
    private readonly Lock _gate = new();

    internal int Shards => shards;

    internal Stage Ingress { get; } = new("ingress");

    /// <summary>Called for each new stage, so that an engine that runs can start its loop.</summary>
    internal Action<Stage>? OnAdded { get; set; }

    /// <summary>All stages but the ingress, in the order in which data passes them.</summary>
    internal IReadOnlyList<Stage> Loops
    {
        get
        {
            lock (_gate)
            {
                return [.. _stages.OrderBy(s => s.Key.Depth).ThenBy(s => s.Key.Shard < 0).Select(s => s.Value)];
            }
        }
    }

    /// <summary>The stage on which a stream of this depth comes out.</summary>
    internal Stage Of(int depth) => shards == 1 || depth == 0 ? Ingress : Get(depth, -1, $"gather {depth}");

    internal Stage Shard(int depth, int shard) => shards == 1 ? Ingress : Get(depth, shard, depth == 1 ? $"shard {shard}" : $"shard {depth}.{shard}");

    private Stage Get(int depth, int shard, string name)
    {
        lock (_gate)
        {
            if (!_stages.TryGetValue((depth, shard), out var stage))
            {
                _stages[(depth, shard)] = stage = new Stage(name);
                OnAdded?.Invoke(stage);
            }

            return stage;
        }
    }
}
