namespace System.Runtime.CompilerServices;

// The compiler asks for this type wherever `init` or a record is used, and netstandard2.0 has none.
internal static class IsExternalInit;
