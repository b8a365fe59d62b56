using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>Passing over what nobody wants.</summary>
internal ref partial struct CborScanner
{
    private const int MostDepth = 64;
    private const long IndefiniteArray = -1;
    private const long IndefiniteKey = -2;
    private const long IndefiniteValue = -3;

    /// <summary>Passes the next item over with all that it holds, and checks that it is well-formed.</summary>
    internal bool TrySkip()
    {
        Span<long> open = stackalloc long[MostDepth + 1];
        int depth = 0;
        bool isTagged = false;
        while (TryHead(out var head))
        {
            bool isOpened = false;
            switch (head.Major)
            {
                case CborMajor.Bytes or CborMajor.Text:
                    if (!TrySkipString(in head))
                    {
                        return false;
                    }

                    break;
                case CborMajor.Array or CborMajor.Map when head.IsIndefinite || head.Argument > 0:
                    if (Depth + depth >= maxDepth)
                    {
                        Fault.Set(DeadLetterReason.TooDeep, "it is nested too deep", _at);
                        return false;
                    }

                    // Each item takes a byte: a count past the payload's end can't be reached, and must not overflow.
                    long count = (long)Math.Min(head.Argument, int.MaxValue);
                    bool isMap = head.Major == CborMajor.Map;
                    open[depth++] = head.IsIndefinite ? (isMap ? IndefiniteKey : IndefiniteArray) : isMap ? 2 * count : count;
                    isOpened = true;
                    break;
                case CborMajor.Tag:
                    isTagged = true;
                    continue;
                case CborMajor.Simple when head.IsBreak:
                    if (isTagged || depth == 0 || open[depth - 1] is not (IndefiniteArray or IndefiniteKey))
                    {
                        Malformed("a break stands where no item of indefinite length ends");
                        return false;
                    }

                    depth--;
                    break;
            }

            isTagged = false;
            if (!isOpened && IsComplete(open, ref depth))
            {
                return true;
            }
        }

        return false;
    }

    private bool TrySkipString(in CborHead head)
    {
        if (!head.IsIndefinite)
        {
            return TrySlice(in head, out _);
        }

        while (TryHead(out var chunk))
        {
            if (chunk.IsBreak)
            {
                return true;
            }

            if (chunk.Major != head.Major || chunk.IsIndefinite)
            {
                Malformed("a string of indefinite length holds something else than chunks");
                return false;
            }

            if (!TrySlice(in chunk, out _))
            {
                return false;
            }
        }

        return false;
    }

    /// <summary>An item ended; whether it was the outermost.</summary>
    private static bool IsComplete(Span<long> open, ref int depth)
    {
        while (depth > 0)
        {
            ref long rest = ref open[depth - 1];
            switch (rest)
            {
                case IndefiniteArray:
                    return false;
                case IndefiniteKey:
                    rest = IndefiniteValue;
                    return false;
                case IndefiniteValue:
                    rest = IndefiniteKey;
                    return false;
            }

            if (--rest > 0)
            {
                return false;
            }

            depth--;
        }

        return true;
    }
}
