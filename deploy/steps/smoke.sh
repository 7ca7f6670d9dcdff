#!/usr/bin/env bash
# Tries what is in service. Sourced by deploy.sh.

# eventually SECONDS COMMAND...: tries until it succeeds.
eventually() {
  local until=$((SECONDS + $1))
  shift
  until "$@"; do ((SECONDS < until)) || return 1; sleep 1; done
}

prometheus() { docker compose exec -T prometheus promtool query instant http://127.0.0.1:9090 "$1" | sed -n 's/.*=> \([0-9.e+-]*\) @.*/\1/p'; }
ledger_has() { [ "$(docker compose exec -T processor hookline ledger search --number "$1" --csv | tail -n +2 | wc -l)" -eq "$SMOKE_WEBHOOKS" ]; }
all_scraped() { [ "$(prometheus 'count(up{job=~"hookline-.*"} == 1)')" = "$1" ]; }

smoke() {
  local number port all
  number="+1500555$((RANDOM % 9000 + 1000))"
  port=$(docker compose port door 8080 2>/dev/null) || { complain "door does not run: nothing is in service."; return 1; }
  port=${port/#0.0.0.0:/127.0.0.1:}
  say "smoke: $SMOKE_WEBHOOKS signed webhooks to $port"
  docker compose run --rm -T --no-deps caller status --from "$number" --times "$SMOKE_WEBHOOKS" --via "http://$port" || {
    complain "ingress does not accept what is signed with the token of deploy/secrets/."
    return 1
  }
  eventually 30 ledger_has "$number" || { complain "processor: not all of them are in the ledger: docker compose run --rm hookline ledger search --number $number"; return 1; }
  say "smoke: all are in the ledger"
  all=$((${#INGRESSES[@]} + $(docker compose ps --quiet processor | wc -l)))
  eventually 60 all_scraped "$all" || { complain "prometheus does not get the metrics of all $all services: http://127.0.0.1:9090/targets"; return 1; }
  all=$(docker compose exec -T prometheus promtool query instant http://127.0.0.1:9090 'ALERTS{alertstate="firing"}' | sed -n 's/.*alertname="\([^"]*\)".*severity="\([^"]*\)".*/\2 \1/p')
  [ -z "$all" ] || say "smoke: alerts: ${all//$'\n'/, }"
  [[ "$all" != *critical* ]] || { complain "prometheus: a critical alert is firing."; return 1; }
  say "smoke: metrics of all services, and no critical alert"
}
