#!/usr/bin/env bash
# Brings a new version into service with Compose, without losing a webhook, or leaves the old one serving. docs/compose.md tells more.
#
#   deploy/deploy.sh deploy                build the image from this folder and put it into service
#   deploy/deploy.sh deploy --image NAME   the same with an image that exists already, here or in a registry
#   deploy/deploy.sh rollback              put the version before back into service
#   deploy/deploy.sh smoke                 send signed webhooks through the public port, and look for them in the ledger
#
# `hookline:current` is the image in service, and what `docker compose up` uses; `hookline:previous` is the one before.
# HOOKLINE_WAIT_S: seconds that a container gets to become healthy (60).
# Exit codes: 0 done. 1 something failed, and the old version serves. 2 the command line is wrong.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset HOOKLINE_TAG
export COMPOSE_PROGRESS=quiet # what is done is said here, errors by Docker

PROJECT=$(docker compose config 2>/dev/null | sed -n 's/^name: //p')
readonly PROJECT=${PROJECT:-hookline}
readonly CURRENT=$PROJECT:current PREVIOUS=$PROJECT:previous CANDIDATE=$PROJECT:candidate
readonly INGRESSES=(ingress-1 ingress-2)
readonly WAIT_S=${HOOKLINE_WAIT_S:-60} SMOKE_WEBHOOKS=20 LOG_LINES=15

old_image="" # id of the image that serves, empty if none does
undo=no      # whether something may have been replaced, which a failure has to put back

say() { printf '==> %s\n' "$*"; }
complain() { printf 'deploy: %s\n' "$*" >&2; }

# --- Looking -----------------------------------------------------------------------------------------------------------------

containers_of() { docker compose ps --all --quiet "$1"; }
name_of() { docker inspect --format '{{slice .Name 1}}' "$1"; }
state_of() { docker inspect --format '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}} {{.RestartCount}}' "$1"; }
image_of() { docker inspect --format '{{.Image}}' "$1"; }
image_id() { docker image inspect --format '{{.Id}}' "$1" 2>/dev/null; }
version_of() { docker image inspect --format '{{index .Config.Labels "org.opencontainers.image.version"}}' "$1" 2>/dev/null; }

# What Compose would publish `door` at, as ADDRESS:PORT, from .env and the environment.
wanted_door() { docker compose config door | awk '/host_ip:/ {ip = $2} /published:/ {gsub(/"/, ""); port = $2} END {print ip ":" port}'; }

# show_logs CONTAINER: its last words, and those of its health check.
show_logs() {
  complain "the last lines of $(name_of "$1"):"
  docker logs --tail "$LOG_LINES" "$1" 2>&1 | sed 's/^/    /' >&2
  docker inspect --format '{{if .State.Health}}{{range .State.Health.Log}}{{.Output}}{{end}}{{end}}' "$1" |
    { grep -E '\[-\]|nothing answers' || true; } | tail -n 3 | sed 's/^/    health: /' >&2
}

# await_healthy CONTAINER: fails, having said why, if it is not healthy in time, has ended, or ends over and over.
await_healthy() {
  local until=$((SECONDS + WAIT_S)) status health restarts
  while true; do
    read -r status health restarts <<<"$(state_of "$1")"
    case "$status/${restarts:-0}" in
      running/*) [ "$health" != healthy ] || return 0 ;;
      exited/* | dead/* | */[3-9] | */[1-9][0-9]*) break ;;
    esac
    if [ "$health" = unhealthy ] || ((SECONDS > until)); then break; fi
    sleep 0.5
  done
  complain "$(name_of "$1") does not become healthy: it is $status${health:+ and $health}, after $restarts restarts."
  show_logs "$1"
  return 1
}

# --- Before anything is touched ------------------------------------------------------------------------------------------------

check_tools() {
  docker compose version >/dev/null 2>&1 || { complain "docker compose is needed: https://docs.docker.com/compose/install/"; exit 1; }
  docker info >/dev/null 2>&1 || { complain "the Docker engine does not answer. Is it running, and may you use it?"; exit 1; }
  docker compose config --quiet || { complain "compose.yaml and .env do not go together: see above."; exit 1; }
}

check_secrets() {
  [ -s deploy/secrets/twilio_auth_token ] && return
  complain "ingress has no auth token: deploy/secrets/twilio_auth_token is missing or empty. Copy it from the Twilio console:"
  complain "(umask 077; printf '%s\\n' 'your auth token' > deploy/secrets/twilio_auth_token)"
  exit 1
}

# The port is tried before `door`, which has the old one, is replaced.
check_port() {
  local wanted problem
  wanted=$(wanted_door)
  [ "$(docker compose port door 8080 2>/dev/null || true)" != "$wanted" ] || return 0
  problem=$(docker run --rm --publish "$wanted:8080" python:3.13-slim-trixie true 2>&1) && return
  complain "door cannot have the port $wanted: ${problem##*: }"
  complain "Stop what listens there, or choose another PUBLISHED_PORT in .env."
  exit 1
}

build() {
  say "building the image"
  HOOKLINE_VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
  HOOKLINE_REVISION=$(git describe --always --dirty --abbrev=40 --exclude '*' 2>/dev/null || echo unknown)
  HOOKLINE_SOURCE=$(git remote get-url origin 2>/dev/null | sed 's|//[^/@]*@|//|' || true)
  export HOOKLINE_VERSION HOOKLINE_REVISION HOOKLINE_SOURCE
  HOOKLINE_TAG=${CANDIDATE#*:} docker compose build --quiet migrate || { complain "the image cannot be built: see above."; exit 1; }
}

# take IMAGE: makes it the candidate.
take() {
  image_id "$1" >/dev/null || docker pull --quiet "$1" || { complain "there is no image $1, neither here nor where it would come from."; exit 1; }
  docker tag "$1" "$CANDIDATE"
}

# The settings are read by the new version before the old one goes.
check_settings() {
  say "checking the settings with the new version"
  local found
  docker compose run --rm -T secrets >/dev/null || { complain "secrets cannot be handed over: see above."; exit 1; }
  found=$(HOOKLINE_TAG=${CANDIDATE#*:} docker compose run --rm -T --no-deps hookline config --changed 2>&1) && return
  complain "ingress and processor would not start with these settings (.env, deploy/secrets/), or the image is broken:"
  tail -n "$LOG_LINES" <<<"$found" | sed 's/^/    /' >&2
  exit 1
}

# --- Replacing -----------------------------------------------------------------------------------------------------------------

start_stores() {
  say "redis, postgres, prometheus and door"
  docker compose up --detach --quiet-pull secrets redis postgres prometheus door || { complain "one of them cannot be started: see above."; return 1; }
  local service
  for service in redis postgres prometheus; do await_healthy "$(containers_of "$service")" || return 1; done
  # It reads its rules again. (docker kill would also take away its restart policy.)
  docker compose exec -T prometheus sh -c 'kill -HUP 1'
}

migrate() {
  say "bringing the ledger's tables to the form of this version"
  docker compose run --rm -T --no-deps migrate || { complain "migrate failed: see above."; return 1; }
}

# New processors come before the old ones go: partitions move over as they do in any restart.
#
# replace_processors IMAGE always|if-other: with IMAGE, all of them or those that have another.
replace_processors() {
  local leaving=() wanted one
  wanted=$(docker compose config processor | awk '/^    scale:/ {print $2}')
  for one in $(containers_of processor); do
    if [ "$2" = always ] || [ "$(image_of "$one")" != "$1" ]; then leaving+=("$one"); fi
  done
  say "processor: starting $wanted beside ${#leaving[@]} that will go"
  docker compose up --detach --no-deps --no-recreate --scale "processor=$((wanted + ${#leaving[@]}))" processor 2>/dev/null || true
  for one in $(containers_of processor); do
    [[ " ${leaving[*]} " == *" $one "* ]] || await_healthy "$one" || return 1
  done
  for one in "${leaving[@]}"; do docker stop "$one" >/dev/null && docker rm "$one" >/dev/null; done
}

replace_ingress() {
  say "$1"
  docker compose up --detach --no-deps --force-recreate "$1" 2>/dev/null || true
  await_healthy "$(containers_of "$1")"
}

# Processors first: they read what the version before wrote, while the reverse would have to be promised.
replace_all() {
  replace_processors "$(image_id "$CURRENT")" always || return 1
  local service
  for service in "${INGRESSES[@]}"; do replace_ingress "$service" || return 1; done
}

# Containers of any other image than the one that served go; those of that image which still run stay as they are.
put_back() {
  complain "going back to the version that served."
  docker tag "$old_image" "$CURRENT"
  local service one
  for service in "${INGRESSES[@]}"; do
    one=$(containers_of "$service")
    [ -n "$one" ] && [ "$(image_of "$one")" = "$old_image" ] || replace_ingress "$service" || complain "$service could not be put back."
  done
  replace_processors "$old_image" if-other || complain "not all processors could be put back."
}

# On the way out, however that came: a failure, Ctrl-C, a closed terminal.
leave() {
  local code=$?
  trap - EXIT INT TERM HUP
  if [ "$undo" = yes ] && [ "$code" -ne 0 ]; then
    if [ -n "$old_image" ]; then
      put_back
      complain "the deployment failed; version $(version_of "$old_image") (${old_image:7:12}) serves as before."
    else
      complain "the first deployment failed. The containers are left to be looked at; docker compose down removes them."
    fi
  fi
  exit "$code"
}

# in_service IMAGE: replaces everything with it, tries it, and remembers what was before.
in_service() {
  local running
  running=$(docker compose ps --quiet "${INGRESSES[@]}")
  [ -z "$running" ] || old_image=$(image_of "${running%%$'\n'*}")
  trap 'exit 130' INT TERM HUP
  trap leave EXIT
  undo=yes
  docker tag "$1" "$CURRENT"
  start_stores || exit 1
  [ "$2" != migrating ] || migrate || exit 1
  replace_all || exit 1
  smoke || exit 1
  undo=no
  [ -z "$old_image" ] || [ "$old_image" = "$(image_id "$CURRENT")" ] || docker tag "$old_image" "$PREVIOUS"
  say "version $(version_of "$CURRENT") is in service ($(image_id "$CURRENT" | cut -c8-19))"
}

# --- Trying --------------------------------------------------------------------------------------------------------------------

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

# --- The command line ------------------------------------------------------------------------------------------------------------

usage() { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }

main() {
  case "${1:-}" in
    smoke) check_tools; smoke ;;
    deploy)
      check_tools
      check_secrets
      check_port
      case "${2:-}" in
        "") build ;;
        --image) take "${3:?--image needs the name of an image}" ;;
        *) usage >&2; exit 2 ;;
      esac
      check_settings
      in_service "$CANDIDATE" migrating
      ;;
    rollback)
      check_tools
      image_id "$PREVIOUS" >/dev/null || { complain "there is no version before: nothing was deployed over another one yet."; exit 1; }
      take "$PREVIOUS"
      in_service "$CANDIDATE" "" # tables of the newer form are left as they are
      ;;
    -h | --help | help) usage ;;
    *) usage >&2; exit 2 ;;
  esac
}

exec 9<.
flock --nonblock 9 || { complain "another deployment is under way."; exit 1; }
main "$@"
