const number = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const when = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const ago = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export const format = value => typeof value === "number" ? number.format(value) : value ?? "–";
export const compact = value => value < 10000 ? number.format(value) : short.format(value);
export const time = value => value ? when.format(new Date(value)) : "–";

/** Today the time of day, otherwise the date as well. */
export const brief = value => !value ? "–" : new Date(value).toDateString() === new Date().toDateString() ? clock.format(new Date(value)) : when.format(new Date(value));

export function since(value) {
  if (!value) return "never";
  const seconds = (new Date(value) - Date.now()) / 1000;
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= size) return ago.format(Math.round(seconds / size), unit);
  }
  return Math.abs(seconds) < 5 ? "now" : ago.format(Math.round(seconds), "second");
}

export const severityKind = { info: "info", warning: "warn", critical: "bad" };
export const alertKind = { raised: "bad", escalated: "bad", acknowledged: "info", cleared: "good" };
export const deviceKind = { registered: "info", active: "good", locked: "warn", wiped: "bad", revoked: "bad" };
export const commandKind = { queued: "info", sent: "info", delivered: "warn", acked: "good", failed: "bad", expired: "bad", refused: "bad" };

/** Words on the wire may begin with a capital letter. */
export const word = value => String(value ?? "").toLowerCase();
export const words = value => String(value).replace(/([a-z])([A-Z])/g, "$1 $2").replace(/[-_.]/g, " ").toLowerCase().replace(/^./, c => c.toUpperCase());
