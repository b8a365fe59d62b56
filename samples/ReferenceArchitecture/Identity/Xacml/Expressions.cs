namespace IoT.Reference.Identity.Xacml;

/// <summary>What could not be evaluated: the decision is Indeterminate (XACML 3.0, 7.2).</summary>
/// <param name="Reason">Why.</param>
internal sealed record Failure(string Reason);

/// <summary>Gives a value, a bag of values (an array), or a <see cref="Failure"/>.</summary>
internal abstract record Expression(DataType Type, bool IsBag)
{
    internal abstract object Evaluate(PolicyRequest request);
}

internal sealed record Constant(DataType Type, object Value) : Expression(Type, false)
{
    internal override object Evaluate(PolicyRequest request) => Value;
}

internal sealed record Designator(DataType Type, string Id, int Slot, bool MustBePresent) : Expression(Type, true)
{
    private readonly Failure _missing = new($"{Id} is missing");

    internal override object Evaluate(PolicyRequest request)
    {
        object[] values = request[Slot];
        return values.Length == 0 && MustBePresent ? _missing : values;
    }
}

/// <summary>A function of values that are all evaluated first.</summary>
internal sealed record Apply(Function Function, Expression[] Arguments) : Expression(Function.Returns, Function.ReturnsBag)
{
    internal override object Evaluate(PolicyRequest request)
    {
        object[] values = new object[Arguments.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Arguments[i].Evaluate(request);
            if (values[i] is Failure)
            {
                return values[i];
            }
        }

        return Function.Invoke(values);
    }
}

/// <summary>And, or, n-of: ends as soon as the answer is sure; an argument that fails does not count where another decides (A.3.5).</summary>
/// <param name="Count">How many must be true.</param>
/// <param name="Arguments">Of what.</param>
internal sealed record AtLeast(Expression? Count, Expression[] Arguments) : Expression(DataType.Boolean, false)
{
    internal override object Evaluate(PolicyRequest request)
    {
        object wanted = Count?.Evaluate(request) ?? 1L;
        if (wanted is Failure)
        {
            return wanted;
        }

        long left = (long)wanted;
        if (left <= 0)
        {
            return DataTypes.True;
        }

        if (left > Arguments.Length)
        {
            return new Failure("n-of: fewer arguments than must be true");
        }

        Failure? failure = null;
        foreach (var argument in Arguments)
        {
            switch (argument.Evaluate(request))
            {
                case true when --left == 0:
                    return DataTypes.True;
                case Failure f:
                    failure ??= f;
                    break;
            }
        }

        return failure ?? DataTypes.False;
    }
}

internal sealed record AllTrue(Expression[] Arguments) : Expression(DataType.Boolean, false)
{
    internal override object Evaluate(PolicyRequest request)
    {
        Failure? failure = null;
        foreach (var argument in Arguments)
        {
            switch (argument.Evaluate(request))
            {
                case false:
                    return DataTypes.False;
                case Failure f:
                    failure ??= f;
                    break;
            }
        }

        return failure ?? DataTypes.True;
    }
}

/// <summary>any-of, all-of and their kin, and map: a function over the values of bags (A.3.12).</summary>
internal sealed record HigherOrder(string Name, Function Function, Expression[] Arguments, DataType Type, bool IsBag) : Expression(Type, IsBag)
{
    internal override object Evaluate(PolicyRequest request)
    {
        object[] values = new object[Arguments.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Arguments[i].Evaluate(request);
            if (values[i] is Failure)
            {
                return values[i];
            }
        }

        return Name switch
        {
            "any-of" => Quantify(values, BagIndex(values), isAll: false),
            "all-of" => Quantify(values, BagIndex(values), isAll: true),
            "any-of-any" => OfTwo(values, firstIsAll: false, secondIsAll: false),
            "all-of-any" => OfTwo(values, firstIsAll: true, secondIsAll: false),
            "any-of-all" => OfTwo(values, firstIsAll: false, secondIsAll: true),
            "all-of-all" => OfTwo(values, firstIsAll: true, secondIsAll: true),
            _ => Map(values),
        };
    }

    private static int BagIndex(object[] values) => Array.FindIndex(values, static v => v is object[]);

    private object Quantify(object[] values, int bag, bool isAll)
    {
        object[] arguments = (object[])values.Clone();
        foreach (object value in (object[])values[bag])
        {
            arguments[bag] = value;
            object result = Function.Invoke(arguments);
            if (result is Failure || (bool)result != isAll)
            {
                return result;
            }
        }

        return DataTypes.Boxed(isAll);
    }

    private object OfTwo(object[] values, bool firstIsAll, bool secondIsAll)
    {
        object[] second = (object[])values[1];
        foreach (object first in (object[])values[0])
        {
            object result = Quantify([first, second], 1, secondIsAll);
            if (result is Failure || (bool)result != firstIsAll)
            {
                return result;
            }
        }

        return DataTypes.Boxed(firstIsAll);
    }

    private object Map(object[] values)
    {
        int bag = BagIndex(values);
        object[] arguments = (object[])values.Clone(), source = (object[])values[bag], results = new object[source.Length];
        for (int i = 0; i < source.Length; i++)
        {
            arguments[bag] = source[i];
            results[i] = Function.Invoke(arguments);
            if (results[i] is Failure)
            {
                return results[i];
            }
        }

        return results;
    }
}
