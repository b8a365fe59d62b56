using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Time.Testing;

namespace IoT.Cep;

[Trait("Requirement", "R35")]
public sealed class PasswordsTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();
    private readonly FakeTimeProvider _time = new();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public async Task A_user_is_known_by_the_right_password_only()
    {
        File.WriteAllLines(_file, ["# users", "", Line("ann", "right"), Line("gw", "secret", "s1", "s2")]);
        using var passwords = Passwords.FromFile(_file, _time);
        Assert.Equal("ann", (await passwords.Validate("ann", "right"))!.Name);
        Assert.Equal("ann", (await passwords.Validate("ann", "right"))!.Name);
        Assert.True((await passwords.Validate("gw", "secret"))!.MaySpeakFor("s2"));
        foreach (var (user, password) in new[] { ("ann", "wrong"), ("ann", ""), ("bob", "right"), ("", ""), ("gw", "right"), ("ann\0", "right"), ("ann", new string('x', 2_000)) })
        {
            Assert.Null(await passwords.Validate(user, password));
        }

        Assert.DoesNotContain("right", File.ReadAllText(_file), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_changed_file_counts_after_a_second_and_a_broken_one_does_not()
    {
        File.WriteAllText(_file, Line("ann", "old"));
        using var passwords = Passwords.FromFile(_file, _time);
        Assert.NotNull(await passwords.Validate("ann", "old"));
        File.WriteAllText(_file, "half a li");
        File.SetLastWriteTimeUtc(_file, DateTime.UnixEpoch.AddYears(40));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.NotNull(await passwords.Validate("ann", "old"));

        File.WriteAllText(_file, Line("ann", "new"));
        File.SetLastWriteTimeUtc(_file, DateTime.UnixEpoch.AddYears(41));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(await passwords.Validate("ann", "old"));
        Assert.NotNull(await passwords.Validate("ann", "new"));
    }

    [Fact]
    public async Task Too_many_that_wait_are_refused()
    {
        File.WriteAllText(_file, Line("ann", "right"));
        using var passwords = Passwords.FromFile(_file, _time, maxWaiting: 0);
        var all = Enumerable.Range(0, Environment.ProcessorCount + 20).Select(i => passwords.Validate("ann", i < Environment.ProcessorCount ? "right" : "guess").AsTask()).ToArray();
        var known = await Task.WhenAll(all);
        Assert.Contains(known, k => k is not null);
        Assert.DoesNotContain(known.Skip(Environment.ProcessorCount), k => k is not null);
        Assert.NotNull(await passwords.Validate("ann", "right"));
    }

    [Theory]
    [InlineData("ann")]
    [InlineData("ann:plain:1:2:3:")]
    [InlineData("ann:pbkdf2-sha512:1:AAAA:AAAA:")]
    [InlineData(":pbkdf2-sha512:1000:AAAAAAAAAAAAAAAAAAAAAA==:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:")]
    public void A_line_of_another_form_names_its_number(string line)
    {
        File.WriteAllLines(_file, [Line("bob", "x"), line]);
        Assert.Contains("line 2", Assert.Throws<InvalidDataException>(() => Passwords.FromFile(_file)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a:b")]
    [InlineData("#a")]
    [InlineData("a\n")]
    public void A_name_that_breaks_the_file_is_refused(string user) => Assert.Throws<ArgumentException>(() => Line(user, "x"));

    private static string Line(string user, string password, params string[] speaksFor) => Passwords.Line(user, password, speaksFor, iterations: 1_000);
}

public sealed class CertificatesTests
{
    [Fact]
    public async Task A_certificate_of_the_authority_is_known_by_its_name()
    {
        using var authority = new TestAuthority();
        using var certificate = Load(authority, "sensor-1");
        var identity = await Certificates.FromPemFile(authority.CaFile).Validate(certificate);
        Assert.Equal(("sensor-1", AuthenticationMethod.Certificate), (identity!.Name, identity.Method));
        Assert.Equal(certificate.NotAfter.ToUniversalTime(), identity.Expires!.Value.UtcDateTime);
        Assert.Equal("sensor-1", (await Certificates.FromPemFile(authority.CaFile, CertificateName.DnsName).Validate(certificate))!.Name);
    }

    [Fact]
    public async Task A_certificate_of_another_authority_or_out_of_its_time_is_refused()
    {
        using var authority = new TestAuthority();
        using var other = new TestAuthority();
        using var certificate = Load(authority, "sensor-1");
        Assert.Null(await Certificates.FromPemFile(other.CaFile).Validate(certificate));
        Assert.Null(await Certificates.FromPemFile(authority.CaFile, timeProvider: new FakeTimeProvider(new(2095, 1, 1, 0, 0, 0, default))).Validate(certificate));
        Assert.Null(await Certificates.FromPemFile(authority.CaFile, timeProvider: new FakeTimeProvider(new(2010, 1, 1, 0, 0, 0, default))).Validate(certificate));
    }

    private static X509Certificate2 Load(TestAuthority authority, string name) => X509CertificateLoader.LoadCertificateFromFile(authority.Sign(name).Certificate);
}
