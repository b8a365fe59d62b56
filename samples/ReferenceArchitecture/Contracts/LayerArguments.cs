using System.Globalization;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;

namespace IoT.Reference.Contracts;

/// <summary>An option of a layer's command line.</summary>
/// <param name="Name">As it is written, without the dashes.</param>
/// <param name="Value">What stands for its value in the help; empty for a switch.</param>
/// <param name="Default">What holds where it is not given; null: nothing.</param>
public sealed record LayerOption(string Name, string Value, string Help, string? Default = null);

/// <summary>The command line of a layer that runs alone: <c>--name value</c> or <c>--name=value</c>.</summary>
public sealed class LayerArguments
{
    /// <summary>The folder with what the layers prove themselves with, which <c>Identity</c> makes.</summary>
    public const string ServicesFile = "services.json";

    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);

    private LayerArguments()
    {
    }

    /// <summary>The options that every layer but <c>Identity</c> has.</summary>
    public static IReadOnlyList<LayerOption> Common { get; } =
    [
        new("address", "IP", "where to listen; beyond loopback only with --certificate", "127.0.0.1"),
        new("data", "FOLDER", "what the layer keeps", "reference-data"),
        new("identity", "URI", "the decision point", "http://127.0.0.1:5101"),
        new("services", "FILE", "what the layers prove themselves with; 'Identity' writes it into its data folder", "reference-data/" + ServicesFile),
        new("certificate", "FILE", "a certificate with its key (PEM or PFX), to listen with TLS"),
    ];

    /// <summary>An option's value.</summary>
    /// <param name="name">Its name.</param>
    public string? this[string name] => _values.GetValueOrDefault(name);

    /// <summary>Whether a switch is given.</summary>
    public bool Has(string name) => _values.ContainsKey(name);

    /// <summary>A port.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public int Port(string name) => Number(name) is >= 0 and <= IPEndPoint.MaxPort and int port ? port : throw new FormatException($"--{name} must be a port, 0 to 65535.");

    /// <summary>A whole number.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public int Number(string name) =>
        int.TryParse(_values[name], CultureInfo.InvariantCulture, out int number) ? number : throw new FormatException($"--{name} must be a whole number.");

    /// <summary>An address.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public Uri Address(string name) =>
        Uri.TryCreate(_values[name], UriKind.Absolute, out Uri? uri) ? uri : throw new FormatException($"--{name} must be an address such as http://127.0.0.1:5101.");

    /// <summary>The certificate to listen with; null: none.</summary>
    public X509Certificate2? Certificate() => this["certificate"] is not { } file ? null
        : Path.GetExtension(file).ToUpperInvariant() is ".PFX" or ".P12" ? X509CertificateLoader.LoadPkcs12FromFile(file, null)
        : X509Certificate2.CreateFromPemFile(file);

    /// <summary>What a layer proves itself with, out of <c>--services</c>.</summary>
    /// <param name="layer">The layer's name.</param>
    /// <exception cref="FormatException">There is no such file, or the layer is not in it.</exception>
    public ServiceCredential Service(string layer)
    {
        string file = _values["services"];
        if (!File.Exists(file))
        {
            throw new FormatException($"There is no {file}: start the layer Identity first, and name the file it wrote by --services.");
        }

        return JsonSerializer.Deserialize(File.ReadAllBytes(file), WireJson.Default.ListServiceCredential)!.Find(s => s.Id == layer)
            ?? throw new FormatException($"{file} has nothing for the layer '{layer}'.");
    }

    /// <summary>Reads a command line.</summary>
    /// <exception cref="FormatException">The message says which argument is wrong and what is expected.</exception>
    public static LayerArguments Parse(IReadOnlyList<string> args, IReadOnlyList<LayerOption> options)
    {
        ArgumentNullException.ThrowIfNull(args);
        ArgumentNullException.ThrowIfNull(options);
        var read = new LayerArguments();
        foreach (LayerOption option in options)
        {
            if (option.Default is not null)
            {
                read._values[option.Name] = option.Default;
            }
        }

        for (int i = 0; i < args.Count; i++)
        {
            (string name, string? value) = args[i].Split('=', 2) is [var left, var right] ? (left, right) : (args[i], null);
            LayerOption option = options.FirstOrDefault(o => "--" + o.Name == name) ?? throw new FormatException($"There is no option '{name}'; see --help.");
            if (option.Value.Length > 0)
            {
                value ??= ++i < args.Count ? args[i] : throw new FormatException($"--{option.Name} needs a value: {option.Value}.");
            }

            read._values[option.Name] = value ?? "";
        }

        return read;
    }

    /// <summary>The options as a page of help.</summary>
    public static string Help(string what, IReadOnlyList<LayerOption> options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var text = new StringBuilder(what).Append("\n\noptions:\n");
        int width = options.Max(o => o.Name.Length + o.Value.Length) + 5;
        foreach (LayerOption option in options)
        {
            text.Append("  ").Append($"--{option.Name} {option.Value}".PadRight(width)).Append(option.Help);
            text.Append(option.Default is null ? "\n" : $" ({option.Default})\n");
        }

        return text.ToString();
    }
}
