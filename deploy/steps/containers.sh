#!/usr/bin/env bash
# Looks at containers and images. Sourced by deploy.sh.

# What Compose is told beside .env and compose.yaml: nothing, or the settings of what served before (rollout.sh).
SETTINGS=()
compose() { docker compose --progress quiet "${SETTINGS[@]}" "$@"; }

containers_of() { compose ps --all --quiet "$1"; }
# look WORDS...: what `docker WORDS` prints, nothing if it fails. For what it does not find, docker prints an empty line.
look() {
  local found
  found=$(docker "$@" 2>/dev/null) || return 1
  printf '%s\n' "$found"
}
name_of() { look inspect --format '{{slice .Name 1}}' "$1"; }
state_of() {
  look inspect --format '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}unchecked{{end}} {{.RestartCount}}' "$1"
}
is_healthy() { [[ "$(state_of "$1")" == "running healthy "* ]]; }
image_of() { look inspect --format '{{.Image}}' "$1"; }
image_id() { look image inspect --format '{{.Id}}' "$1"; }
version_of() { look image inspect --format '{{index .Config.Labels "org.opencontainers.image.version"}}' "$1"; }

# among ONE ALL...: whether ONE is one of ALL.
among() {
  local one=$1 other
  shift
  for other in "$@"; do [ "$one" != "$other" ] || return 0; done
  return 1
}

# How many processors there should be.
wanted_processors() { compose config processor | awk '/^    scale:/ {print $2}'; }

# What Compose would publish `door` at, as ADDRESS:PORT, and what it is published at now, empty if it does not run.
wanted_door() { compose config door | awk '/host_ip:/ {ip = $2} /published:/ {gsub(/"/, ""); port = $2} END {print ip ":" port}'; }
present_door() { compose port door 8080 2>/dev/null || true; }

# behind_door CONTAINER: whether it listens in the network of the `door` that there is, and not of one that is gone.
behind_door() { [ "$(docker inspect --format '{{.HostConfig.NetworkMode}}' "$1" 2>/dev/null)" = "container:$(containers_of door)" ]; }

# show_logs CONTAINER: why it could not start, its last words, and those of its health check.
show_logs() {
  docker inspect --format '{{.State.Error}}' "$1" | sed '/^$/d; s/^/    docker: /' >&2
  complain "the last lines of $(name_of "$1"):"
  docker logs --tail "$LOG_LINES" "$1" 2>&1 | sed 's/^/    /' >&2
  docker inspect --format '{{if .State.Health}}{{range .State.Health.Log}}{{.Output}}{{end}}{{end}}' "$1" |
    { grep -E '\[-\]|nothing answers' || true; } | tail -n 3 | sed 's/^/    health: /' >&2
}

# await_healthy CONTAINER: fails, having said why, if it is not healthy in time, never started, has ended, or ends over and over.
await_healthy() {
  local until=$((SECONDS + WAIT_S)) status health restarts
  while true; do
    read -r status health restarts <<<"$(state_of "$1")"
    case "$status/${restarts:-0}" in
      /*) complain "the container $1 is gone."; return 1 ;;
      running/*) [ "$health" != healthy ] || return 0 ;;
      created/* | exited/* | dead/* | */[3-9] | */[1-9][0-9]*) break ;;
    esac
    if [ "$health" = unhealthy ] || ((SECONDS > until)); then break; fi
    sleep 0.5
  done
  complain "$(name_of "$1") does not become healthy: it is $status and $health, after $restarts restarts."
  show_logs "$1"
  return 1
}

# await_service SERVICE: the same with its only container, which there must be.
await_service() {
  local one
  one=$(containers_of "$1")
  [ -n "$one" ] || { complain "there is no container of $1."; return 1; }
  await_healthy "$one"
}

# remove_ended SERVICE: its containers that do not run are in the way: Compose would start them, or count them.
remove_ended() {
  local one
  for one in $(containers_of "$1"); do
    case "$(state_of "$one")" in
      created* | exited* | dead*) docker rm --force "$one" >/dev/null || true ;;
    esac
  done
}
