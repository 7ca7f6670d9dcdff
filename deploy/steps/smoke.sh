#!/usr/bin/env bash
# Tries what is in service. Sourced by deploy.sh.

# eventually SECONDS COMMAND...: tries until it succeeds.
eventually() {
  local until=$((SECONDS + $1))
  shift
  until "$@"; do ((SECONDS < until)) || return 1; sleep 1; done
}

query() { compose exec -T prometheus promtool query instant http://127.0.0.1:9090 "$1"; }

# current VECTOR: of its series, those with a sample of the last three scrapes. Prometheus goes on counting a series that has ended without
# its seeing it, as all do at `down`, for as long as it looks back: minutes.
current() { printf '%s and (time() - timestamp(%s) < 45)' "$1" "$1"; }
all_scraped() { [ "$(query "count(($(current 'up{job=~"hookline-.*"}')) == 1)" | sed -n 's/.*=> \([0-9.e+-]*\) @.*/\1/p')" = "$1" ]; }
critical_alerts() { query "$(current 'ALERTS{alertstate="firing", severity="critical"}')" | sed -n 's/.*alertname="\([^"]*\)".*/\1/p' | sort -u; }

# ledger_rows NUMBER: how many events of it the ledger has; 0 if it cannot tell.
ledger_rows() { { compose exec -T processor hookline ledger search --number "$1" --limit 1000 --csv 2>/dev/null || true; } | tail -n +2 | wc -l; }
ledger_has() { [ "$(ledger_rows "$1")" -ge "$2" ]; }

# smoke [forward|back [ALERTS]]: fails if something does not work. Critical alerts that were firing before do not count, since a deployment
# may be what ends them; nor, on the way back, what the ledger lacks, since an older version leaves its tables alone if they are newer.
smoke() {
  local number before
  number="+1500555$((RANDOM % 9000 + 1000))"
  before=$(ledger_rows "$number") # the same number may have been here before
  send_webhooks "$number" || return 1
  if eventually 30 ledger_has "$number" $((before + SMOKE_WEBHOOKS)); then
    say "smoke: all are in the ledger"
  else
    complain "processor: not all of them are in the ledger: docker compose run --rm hookline ledger search --number $number"
    complain "If no handler takes message.status, as with forwards alone, they wait for one: \"Smoke test and handlers\" in docs/compose.md."
    [ "${1:-}" = back ] || return 1
    complain "If its tables are of a newer form, the history waits in Redis until you go forward again (docs/upgrading.md)."
  fi
  look_at_metrics || return 1
  look_at_alerts "${2:-}"
}

# send_webhooks NUMBER: signed, through the public port.
send_webhooks() {
  local port
  port=$(present_door)
  [ -n "$port" ] || { complain "door does not run: nothing is in service."; return 1; }
  port=${port/#0.0.0.0:/127.0.0.1:}
  say "smoke: $SMOKE_WEBHOOKS signed webhooks to $port"
  compose run --rm -T --no-deps caller status --from "$1" --times "$SMOKE_WEBHOOKS" --via "http://$port" || {
    complain "ingress does not accept what is signed with the token of deploy/secrets/."
    return 1
  }
}

look_at_metrics() {
  local services
  services=$((${#INGRESSES[@]} + $(compose ps --quiet processor | wc -l)))
  eventually 60 all_scraped "$services" || {
    complain "prometheus does not get the metrics of all $services services: http://127.0.0.1:9090/targets"
    return 1
  }
  say "smoke: metrics of all services"
}

# look_at_alerts BEFORE: critical ones that are firing, but for those of BEFORE, one in each line.
look_at_alerts() {
  local firing new
  firing=$(critical_alerts) || { complain "prometheus does not say which alerts are firing: see above."; return 1; }
  new=$(comm -13 <(printf '%s\n' "$1") <(printf '%s\n' "$firing"))
  [ -z "$new" ] || { complain "prometheus: a critical alert is firing: ${new//$'\n'/, }"; return 1; }
  [ -z "$firing" ] || say "smoke: still firing, as before: ${firing//$'\n'/, }"
  say "smoke: no critical alert that is new"
}
