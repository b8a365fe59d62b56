#!/usr/bin/env bash
# Builds everything and runs all tests. Installs the real servers that tests talk to where it can, and says which it could not.
#   eng/test.sh [--no-build] [--filter EXPRESSION]
set -uo pipefail
cd "$(dirname "$0")/.."

build=1 filter=()
while [ $# -gt 0 ]; do
  case "$1" in
    --no-build) build=0 ;;
    --filter) shift; filter=(--filter "${1:?--filter needs an expression}") ;;
    -h | --help) sed -n '2,3s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "eng/test.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
  shift
done

if ! command -v dotnet >/dev/null; then
  echo "eng/test.sh: the .NET 10 SDK (dotnet) is not on the PATH: https://dotnet.microsoft.com/download" >&2
  exit 2
fi

install() { # Debian package
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
  [ -n "${updated:-}" ] || apt-get update >/dev/null 2>&1
  updated=1
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$1" >/dev/null 2>&1
}
need() { # what to look for (a command or a file), Debian package, what is tested with it
  command -v "$1" >/dev/null || [ -e "$1" ] || [ -x "/usr/sbin/$1" ] || install "$2" && return 0
  echo "NOT INSTALLED: $1 (package $2). Without it $3."
  return 1
}
missing=0
need mosquitto mosquitto "the tests against a real MQTT broker are skipped" || missing=1
need mosquitto_pub mosquitto-clients "tests with its command-line clients are skipped" || missing=1
need coap-client-notls libcoap3-bin "the tests against a foreign CoAP client and server are skipped" || missing=1
need curl curl "the tests with a foreign HTTP client are skipped" || missing=1
need node nodejs "the tests with a foreign WebSocket client are skipped" || missing=1
need npm npm "the tests of the portal in a browser are skipped" || missing=1
need chromium chromium "the tests of the portal in a browser are skipped" || missing=1
need promtool prometheus "what is shown to Prometheus is not checked by its own tool" || missing=1
need openssl openssl "the tests with a foreign TLS client are skipped" || missing=1
need python3 python3 "the reference of the pattern-matching cases is not run" || missing=1
need cc gcc "the Native AOT test fails" || missing=1
need /usr/include/zlib.h zlib1g-dev "the Native AOT test fails" || missing=1

export IOT_CEP_SHARED="${IOT_CEP_SHARED:-$(cd .. && pwd)/shared}"
if [ ! -d "$IOT_CEP_SHARED/data" ]; then
  echo "NOT FOUND: recorded sensor data at $IOT_CEP_SHARED (set IOT_CEP_SHARED). Tests that replay it are skipped."
  missing=1
fi
if [ "$missing" = 1 ] && [ "${CI:-}" = true ]; then
  echo "In CI everything has to be there." >&2
  echo "0 passed, 1 failed"
  exit 1
fi

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
if [ "$build" = 1 ] && ! dotnet build IoT.Cep.sln -c Release --nologo -v quiet; then
  echo "0 passed, 1 failed"
  exit 1
fi

passed=0 failed=0 skipped=0
results=artifacts/test-results
rm -rf "$results" && mkdir -p "$results"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for project in tests/*/*.csproj; do
  name=$(basename "$project" .csproj)
  grep -q '<IsTestProject>false' "$project" && continue
  echo "== $name"
  timeout "${TEST_TIMEOUT_SECONDS:-1500}" dotnet test "$project" -c Release --no-build --nologo -v quiet \
    --logger "trx;LogFileName=$PWD/$results/$name.trx" "${filter[@]}" 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  line=$(grep -E 'Failed: +[0-9]+, Passed: +[0-9]+, Skipped: +[0-9]+' "$log" | tail -n 1)
  number() { sed -nE "s/.*$1: +([0-9]+).*/\1/p" <<<"$line"; }
  f=$(number Failed) p=$(number Passed) s=$(number Skipped)
  passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0})) skipped=$((skipped + ${s:-0}))
  # A run that crashed, hung or found no test has failed, whatever it counted.
  if [ "$status" != 0 ] && [ "${f:-0}" = 0 ]; then failed=$((failed + 1)); fi
  if [ -z "$line" ] && [ "${#filter[@]}" = 0 ] && [ "$status" = 0 ]; then
    echo "$name ran no test"
    failed=$((failed + 1))
  fi
done

# What the table of requirements says that tests show has to be true.
if [ "${#filter[@]}" = 0 ] && [ "${CI:-}" = true ]; then
  echo "== docs/requirements.md"
  dotnet run -c Release --no-build --project eng/IoT.Cep.Requirements -- artifacts/bin "$results" docs/requirements.md --check || failed=$((failed + 1))
fi

if [ "$skipped" != 0 ] && [ "${CI:-}" = true ]; then
  echo "In CI no test may be skipped."
  failed=$((failed + skipped))
fi
[ "$skipped" = 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
