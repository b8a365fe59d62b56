namespace IoT.Cep;

/// <summary>An immutable description of one operator, as the fluent verbs make it and the plan compiler reads it.</summary>
internal abstract record StreamNode<T>
{
}

internal sealed record KeySelector<TKey, T>(Func<T, TKey> Select, string Text)
    where TKey : notnull;
