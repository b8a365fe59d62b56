using System.Runtime.CompilerServices;
using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>
/// Sliding windows over states that can be merged but not taken apart: a queue of states for each key, whose sum of all is there at any time for
/// O(1) merges an event, amortised.
/// </summary>
/// <remarks>
/// Two-Stacks Lite of Tangwongsan, Hirzel and Schneider ("In-order sliding-window aggregation in worst-case constant time", VLDB Journal 30,
/// 2021). A queue's older part holds, for each event, the sum of it and all younger ones of that part; the younger part holds events one by one,
/// with the sum of all of them beside. When the older part is used up, the younger one is summed from its end and takes its place. States are never
/// subtracted, so minima and user's accumulators slide, and sums do not drift.
/// All keys' states stand in blocks of eight out of one store, which a key takes and gives back as its window grows and shrinks.
/// </remarks>
internal sealed class StackedStates<T, TState, TValue, TKernel>(TKernel kernel)
    where TState : struct
    where TKernel : struct, IWindowKernel<T, TState, TValue>
{
    private const int None = -1;
    private const int BlockBits = 3;
    private const int InBlock = (1 << BlockBits) - 1;
    private const int SegmentBits = 11; // segments of 64 KB where a state has 32 bytes
    private const int LargeSegments = 64;
    private const int InSegment = (1 << SegmentBits) - 1;

    private readonly TKernel _kernel = kernel;
    private TState[][] _segments = new TState[4][];
    private Links[] _links = new Links[64];
    private int _blocks;
    private int _usedBlocks;
    private int _free = None;

    /// <summary>Whether a state is no more than its own bytes.</summary>
    private bool IsPlain => !_kernel.NeedsRelease && !RuntimeHelpers.IsReferenceOrContainsReferences<TState>();

    /// <summary>How many blocks keys have.</summary>
    internal int UsedBlocks => _usedBlocks;

    /// <summary>Puts a state behind a key's others; it belongs to the store from here on.</summary>
    internal void Push(ref Stack stack, in TState state)
    {
        if (stack.Count == 0)
        {
            stack.Oldest = stack.Youngest = RentBlock() << BlockBits;
        }
        else if ((stack.Youngest & InBlock) == InBlock)
        {
            int block = RentBlock(), last = stack.Youngest >> BlockBits;
            _links[last].Next = block;
            _links[block].Previous = last;
            stack.Youngest = block << BlockBits;
        }
        else
        {
            stack.Youngest++;
        }

        stack.Count++;
        At(stack.Youngest) = state;
        _kernel.Merge(ref stack.Younger, in state);
    }

    /// <summary>Forgets a key's oldest state; there is one.</summary>
    internal void Pop(ref Stack stack)
    {
        if (stack.Older == 0)
        {
            Flip(ref stack);
        }

        // What holds nothing is not even looked at: it is long out of the cache.
        if (!IsPlain)
        {
            ref var oldest = ref At(stack.Oldest);
            _kernel.Release(ref oldest);
            oldest = default;
        }

        stack.Older--;
        if (--stack.Count == 0)
        {
            _kernel.Release(ref stack.Younger);
            stack.Younger = default;
            ReturnBlock(stack.Oldest >> BlockBits);
        }
        else if ((stack.Oldest & InBlock) == InBlock)
        {
            int block = stack.Oldest >> BlockBits;
            stack.Oldest = _links[block].Next << BlockBits;
            ReturnBlock(block);
        }
        else
        {
            stack.Oldest++;
        }
    }

    /// <summary>The sum of all of a key's states; to be released.</summary>
    internal TState Sum(ref Stack stack)
    {
        if (IsPlain)
        {
            // A copy shares nothing.
            var copy = stack.Older > 0 ? At(stack.Oldest) : stack.Younger;
            if (stack.Older > 0 && stack.Older < stack.Count)
            {
                _kernel.Merge(ref copy, in stack.Younger);
            }

            return copy;
        }

        TState sum = default;
        if (stack.Older > 0)
        {
            _kernel.Merge(ref sum, in At(stack.Oldest));
        }

        _kernel.Merge(ref sum, in stack.Younger);
        return sum;
    }

    /// <summary>Saves a key's states as they are: what was summed can't be taken apart.</summary>
    internal void Save(StateWriter writer, ref Stack stack)
    {
        writer.Int32(stack.Count);
        writer.Int32(stack.Older);
        _kernel.Save(writer, in stack.Younger);
        int at = stack.Oldest;
        for (int i = 0; i < stack.Count; i++)
        {
            _kernel.Save(writer, in At(at));
            at = (at & InBlock) != InBlock ? at + 1 : _links[at >> BlockBits].Next << BlockBits;
        }
    }

    internal void Load(StateReader reader, ref Stack stack)
    {
        int count = reader.Int32(), older = reader.Int32();
        var younger = _kernel.Load(reader);
        for (int i = 0; i < count; i++)
        {
            Push(ref stack, _kernel.Load(reader));
        }

        _kernel.Release(ref stack.Younger);
        (stack.Younger, stack.Older) = (younger, older);
    }

    /// <summary>Forgets all of a key's states.</summary>
    internal void Clear(ref Stack stack)
    {
        stack.Older = stack.Count;
        while (stack.Count > 0)
        {
            Pop(ref stack);
        }
    }

    internal void GiveBack()
    {
        for (int i = 0; i < _segments.Length && _segments[i] is not null; i++)
        {
            Pooled.Return(ref _segments[i], _segments[i].Length);
            _segments[i] = null!;
        }

        (_blocks, _usedBlocks, _free) = (0, 0, None);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref TState At(int index) => ref _segments[index >> SegmentBits][index & InSegment];

    /// <summary>Sums the younger part from its end, and makes it the older one.</summary>
    private void Flip(ref Stack stack)
    {
        int at = stack.Youngest;
        for (int left = stack.Count - 1; left > 0; left--)
        {
            ref var younger = ref At(at);
            at = (at & InBlock) != 0 ? at - 1 : (_links[at >> BlockBits].Previous << BlockBits) | InBlock;
            _kernel.Merge(ref At(at), in younger);
        }

        stack.Older = stack.Count;
        _kernel.Release(ref stack.Younger);
        stack.Younger = default;
    }

    private int RentBlock()
    {
        _usedBlocks++;
        int block = _free;
        if (block != None)
        {
            _free = _links[block].Next;
            return block;
        }

        int segment = _blocks >> (SegmentBits - BlockBits);
        if (segment == _segments.Length)
        {
            Array.Resize(ref _segments, segment * 2);
        }

        if (_segments[segment] is null)
        {
            _segments[segment] = Pooled.Rent<TState>(1 << SegmentBits);
            _segments[segment].AsSpan().Clear();
        }

        if (_blocks == _links.Length)
        {
            Array.Resize(ref _links, _blocks * 2);
        }

        return _blocks++;
    }

    private void ReturnBlock(int block)
    {
        _links[block].Next = _free;
        _free = block;
        if (--_usedBlocks == 0 && _segments.Length > LargeSegments)
        {
            // A burst has passed, and with it what it took.
            GiveBack();
            (_segments, _links) = (new TState[4][], new Links[64]);
        }
    }

    /// <summary>A key's window.</summary>
    internal struct Stack
    {
        /// <summary>The sum of the younger part.</summary>
        internal TState Younger;

        internal int Oldest;
        internal int Youngest;
        internal int Count;

        /// <summary>How many states are in the older part.</summary>
        internal int Older;
    }

    private struct Links
    {
        internal int Next;
        internal int Previous;
    }
}
