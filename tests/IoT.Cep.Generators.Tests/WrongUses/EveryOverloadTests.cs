using System.Globalization;
using System.Reactive.Concurrency;
using System.Reactive.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace IoT.Cep.Generators.Tests;

/// <summary>Every overload that Rx and the library have, called on the other's stream: what would leave event time is an error that names the remedy.</summary>
public sealed class EveryOverloadTests
{
    /// <summary>They take a scheduler to say where work is done and no time to wait for; what they return is a plain observable, so the next verb of event time is told.</summary>
    private static readonly HashSet<string> _whereWorkIsDone =
        ["Append", "Expand", "ManySelect", "Merge", "ObserveOn", "Prepend", "Replay", "StartWith", "SubscribeOn", "Take", "TakeLast"];

    private static readonly MethodInfo[] _rx = [.. new[] { typeof(Observable), typeof(ObservableEx) }.SelectMany(t => Extensions(t, "IObservable`1"))];

    [Theory]
    [InlineData("s")]
    [InlineData("k")]
    public async Task Nothing_of_rx_that_goes_by_the_wall_clock_compiles_on_an_event_stream(string stream)
    {
        MethodInfo[] timed = [.. _rx.Where(m => GoesByTheClock(m) && !IsOurs(m))];
        Assert.InRange(timed.Length, 70, 200);
        await AssertGuardedAsync(timed.Select(m => Call(stream, m, m.GetParameters().Length)));
    }

    [Fact]
    public void What_takes_a_scheduler_and_no_time_is_known() => Assert.Equal(
        _whereWorkIsDone.Order(StringComparer.Ordinal), _rx.Where(m => Takes(m, typeof(IScheduler)) && !GoesByTheClock(m)).Select(m => m.Name).Distinct().Order(StringComparer.Ordinal));

    [Fact]
    public async Task Every_verb_of_ours_says_after_an_rx_operator_that_event_time_was_lost()
    {
        var names = _rx.Select(m => m.Name).ToHashSet();
        await AssertGuardedAsync(Verbs("IEventStream`1", "IKeyedStream`2").Where(m => !names.Contains(m.Name)).SelectMany(m => Calls("s.Distinct()", m)));
        string[] withOurTypes = ["Where", "Window"];
        await AssertGuardedAsync(Verbs("IEventStream`1").Where(m => withOurTypes.Contains(m.Name) && m.GetParameters()[1].ParameterType.Namespace == "IoT.Cep")
            .SelectMany(m => Calls("s.Distinct()", m)));
    }

    [Fact]
    public async Task Every_verb_that_needs_a_key_says_so_where_there_is_none()
    {
        var unkeyed = Verbs("IEventStream`1").Select(m => m.Name).ToHashSet();
        var keyed = Verbs("IKeyedStream`2").ToArray();
        Assert.Equal(["FillGaps", "Silent", "TimelinePerKey"], keyed.Select(m => m.Name).Where(n => !unkeyed.Contains(n)).Distinct().Order(StringComparer.Ordinal));
        foreach (string said in await AssertGuardedAsync(keyed.Where(m => !unkeyed.Contains(m.Name)).SelectMany(m => Calls("s", m))))
        {
            Assert.Contains("say which with KeyBy(e => e.Device) before it", said, StringComparison.Ordinal);
        }
    }

    private static bool GoesByTheClock(MethodInfo method) => Takes(method, typeof(TimeSpan)) || Takes(method, typeof(DateTimeOffset))
        || method.Name is "Timestamp" or "TimeInterval" || method.Name.StartsWith("GroupBy", StringComparison.Ordinal);

    /// <summary>Ours stands in for Rx's: by event time.</summary>
    private static bool IsOurs(MethodInfo method) => method.Name == "Sample" && method.GetParameters().Length == 2;

    private static bool Takes(MethodInfo method, Type type) => method.GetParameters().Any(p => p.ParameterType == type);

    private static IEnumerable<MethodInfo> Verbs(params string[] receivers) => typeof(EventStreamExtensions).Assembly.GetExportedTypes()
        .Where(t => t != typeof(EventStreamGuards)).SelectMany(t => Extensions(t, receivers));

    private static IEnumerable<MethodInfo> Extensions(Type type, params string[] receivers) => type.GetMethods(BindingFlags.Public | BindingFlags.Static)
        .Where(m => m.IsDefined(typeof(ExtensionAttribute)) && receivers.Contains(m.GetParameters()[0].ParameterType.Name));

    /// <summary>With what must be said only, and with all that may be; the last text is the compiler's to fill in.</summary>
    private static IEnumerable<string> Calls(string stream, MethodInfo method)
    {
        int all = method.GetParameters().Count(p => !p.IsDefined(typeof(CallerArgumentExpressionAttribute)));
        return [Call(stream, method, method.GetParameters().Count(p => !p.IsOptional)), Call(stream, method, all)];
    }

    private static string Call(string stream, MethodInfo method, int count) =>
        $"{stream}.{method.Name}({string.Join(", ", method.GetParameters()[1..count].Select(p => p.IsOut ? "out _" : $"default({Text(p.ParameterType)})!"))});";

    private static string Text(Type type) =>
        type.IsArray ? Text(type.GetElementType()!) + "[]"
        : type.IsGenericParameter ? type.Name is "T" or "TSource" ? "Reading" : IsStruct(type) ? "int" : "string"
        : !type.IsGenericType ? type.FullName!
        : $"{type.Namespace}.{type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)]}<{string.Join(", ", type.GetGenericArguments().Select(Text))}>";

    private static bool IsStruct(Type parameter) => parameter.GenericParameterAttributes.HasFlag(GenericParameterAttributes.NotNullableValueTypeConstraint);

    /// <summary>Each call is one error, a guard's.</summary>
    private static async Task<IReadOnlyList<string>> AssertGuardedAsync(IEnumerable<string> calls)
    {
        string[] lines = [.. calls.Distinct()];
        var said = await CompileErrors.Of(string.Join('\n', lines));
        string?[] wrong = [.. lines.Select((line, i) =>
        {
            string[] of = [.. said.Where(d => d.StartsWith(string.Create(CultureInfo.InvariantCulture, $"({i + 1},"), StringComparison.Ordinal))];
            return of is [var one] && one.Contains("error CS0619: 'EventStreamGuards.", StringComparison.Ordinal) ? null : $"{line} {string.Join(" | ", of)}";
        }).Where(text => text is not null)];
        Assert.Empty(wrong);
        return said;
    }
}
