using System.Text;
using System.Text.Encodings.Web;
using IoT.Reference.Identity.Store;
using Microsoft.AspNetCore.Antiforgery;

namespace IoT.Reference.Identity.OAuth;

/// <summary>The pages of <c>Identity</c>: a form or a sentence each, without script. What comes from elsewhere is encoded.</summary>
internal static class Pages
{
    private static readonly Dictionary<string, string> _scopeTexts = new(StringComparer.Ordinal)
    {
        [Contracts.Scopes.ReadReadings] = "see readings",
        [Contracts.Scopes.ReadDevices] = "see your devices",
        [Contracts.Scopes.ManageDevices] = "change your devices and share them",
        [Contracts.Scopes.SendCommands] = "send commands to your devices",
        [Contracts.Scopes.ManageAlerts] = "acknowledge alerts",
        [Contracts.Scopes.DeployQueries] = "deploy queries",
        [Contracts.Scopes.ManagePolicies] = "change policies",
        [Contracts.Scopes.ManagePeople] = "see and erase personal data",
        ["openid"] = "know who you are",
        ["profile"] = "know your name",
        ["offline_access"] = "do this while you are away, until you revoke it",
    };

    internal static string Style { get; } = ReadStyle();

    internal static Task LogInAsync(HttpContext context, IAntiforgery antiforgery, string returnUrl, string? problem, int status = StatusCodes.Status200OK)
    {
        string error = problem is null ? "" : $"<p class=\"problem\" role=\"alert\" id=\"problem\">{Text(problem)}</p>";
        string described = problem is null ? "" : " aria-describedby=\"problem\"";
        return WriteAsync(context, status, "Log in", $"""
            <h1>Log in</h1>
            {error}
            <form method="post" action="/login">
              {Token(context, antiforgery)}
              <input type="hidden" name="returnUrl" value="{Text(returnUrl)}">
              <label for="user">Name</label>
              <input id="user" name="user" autocomplete="username" autocapitalize="none" spellcheck="false" required maxlength="64" autofocus{described}>
              <label for="password">Password</label>
              <input id="password" name="password" type="password" autocomplete="current-password" required maxlength="256"{described}>
              <button type="submit">Log in</button>
            </form>
            """);
    }

    internal static Task ConsentAsync(HttpContext context, IAntiforgery antiforgery, Person person, string application, IEnumerable<string> scopes)
    {
        var list = new StringBuilder();
        foreach (string scope in scopes)
        {
            list.Append("<li>").Append(Text(_scopeTexts.GetValueOrDefault(scope) ?? scope)).Append("</li>");
        }

        // The request goes along with the answer; OpenIddict looks at all of it again.
        var hidden = new StringBuilder();
        foreach (var (name, value) in context.Request.HasFormContentType ? context.Request.Form.Select(static f => (f.Key, f.Value)) : context.Request.Query.Select(static q => (q.Key, q.Value)))
        {
            hidden.Append("<input type=\"hidden\" name=\"").Append(Text(name)).Append("\" value=\"").Append(Text(value.ToString())).Append("\">");
        }

        return WriteAsync(context, StatusCodes.Status200OK, "Allow access", $"""
            <h1>Allow access?</h1>
            <p><strong>{Text(application)}</strong> would like to act for you, {Text(person.Name)}:</p>
            <ul>{list}</ul>
            <form method="post" action="/connect/authorize">
              {Token(context, antiforgery)}
              {hidden}
              <button type="submit" name="consent" value="yes">Allow</button>
              <button type="submit" name="consent" value="no" class="second">Don’t allow</button>
            </form>
            """);
    }

    internal static Task ErrorAsync(HttpContext context, int status, string text) =>
        WriteAsync(context, status, "It did not work", $"<h1>It did not work</h1><p class=\"problem\" role=\"alert\">{Text(text)}</p>");

    internal static Task HomeAsync(HttpContext context, IAntiforgery antiforgery, Person? person) => WriteAsync(context, StatusCodes.Status200OK, "Identity", person is null
        ? "<h1>Identity</h1><p>Nobody is logged in here. <a href=\"/login\">Log in</a></p>"
        : $"""
            <h1>{Text(person.Name)}</h1>
            <p>You are logged in as {Text(person.Id)}.</p>
            <form method="post" action="/logout">{Token(context, antiforgery)}<button type="submit">Log out</button></form>
            """);

    private static string Token(HttpContext context, IAntiforgery antiforgery)
    {
        var tokens = antiforgery.GetAndStoreTokens(context);
        return $"<input type=\"hidden\" name=\"{Text(tokens.FormFieldName)}\" value=\"{Text(tokens.RequestToken!)}\">";
    }

    private static Task WriteAsync(HttpContext context, int status, string title, string body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/html; charset=utf-8";
        context.Response.Headers.CacheControl = "no-store";
        return context.Response.WriteAsync($"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>{Text(title)} – IoT</title>
            <link rel="stylesheet" href="/style.css">
            </head>
            <body>
            <main>
            {body}
            </main>
            </body>
            </html>
            """, context.RequestAborted);
    }

    private static string Text(string text) => HtmlEncoder.Default.Encode(text);

    private static string ReadStyle()
    {
        using var reader = new StreamReader(typeof(Pages).Assembly.GetManifestResourceStream("pages/style")!);
        return reader.ReadToEnd();
    }
}
