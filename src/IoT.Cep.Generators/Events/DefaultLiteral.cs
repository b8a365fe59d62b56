using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace IoT.Cep.Generators;

/// <summary>A parameter's default value as C#.</summary>
internal static class DefaultLiteral
{
    /// <summary>The default, or null where the parameter has none.</summary>
    internal static string? Of(IParameterSymbol parameter, ITypeSymbol type, string typeName)
    {
        if (!parameter.HasExplicitDefaultValue)
        {
            return null;
        }

        return parameter.ExplicitDefaultValue switch
        {
            null when type.IsReferenceType => "null!",
            null => "default",
            { } value when type.TypeKind == TypeKind.Enum => $"({typeName})({Number(value)})",
            string text => SymbolDisplay.FormatLiteral(text, quote: true),
            bool flag => flag ? "true" : "false",
            double.NaN => "double.NaN",
            double.PositiveInfinity => "double.PositiveInfinity",
            double.NegativeInfinity => "double.NegativeInfinity",
            float.NaN => "float.NaN",
            float.PositiveInfinity => "float.PositiveInfinity",
            float.NegativeInfinity => "float.NegativeInfinity",
            var value => Number(value),
        };
    }

    // "R" is exact; the suffix keeps -0.0 from becoming the whole number 0.
    private static string Number(object value) => value switch
    {
        double number => number.ToString("R", CultureInfo.InvariantCulture) + "D",
        float number => number.ToString("R", CultureInfo.InvariantCulture) + "F",
        decimal number => number.ToString(CultureInfo.InvariantCulture) + "M",
        long number => number.ToString(CultureInfo.InvariantCulture) + "L",
        ulong number => number.ToString(CultureInfo.InvariantCulture) + "UL",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => "default",
    };
}
