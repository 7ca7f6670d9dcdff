#!/usr/bin/env bash
# Looks at containers and images. Sourced by deploy.sh.

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
