#!/usr/bin/env bash
# Brings a new version into service with Compose, without losing a webhook, or leaves the old one serving. docs/compose.md tells more.
#
#   deploy/deploy.sh up                    start what does not run: everything, the first time. What runs stays as it is
#   deploy/deploy.sh deploy                build the image from this folder and put it into service
#   deploy/deploy.sh deploy --image NAME   the same with an image that exists already, here or in a registry
#   deploy/deploy.sh rollback              put the version before back into service
#   deploy/deploy.sh smoke                 send signed webhooks through the public port, and look for them in the ledger
#
# `deploy` and `rollback` end with `smoke`, unless --no-smoke is given.
# `hookline:current` is the image in service, and what `docker compose up` uses; `hookline:previous` is the one before. While a deployment is
# under way, or if one was killed, `hookline:before` is the image that served when it began.
# HOOKLINE_WAIT_S: seconds that a container gets to become healthy (60).
# Exit codes: 0 done. 1 something failed; it says what serves. 2 the command line is wrong. 130 it was interrupted.
# shellcheck source-path=SCRIPTDIR/..
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset HOOKLINE_TAG
export COMPOSE_PROGRESS=quiet # what is done is said here, errors by Docker

# What is wrong with docker or with .env is said by check_tools, not here.
PROJECT=$({ docker compose config 2>/dev/null || true; } | sed -n 's/^name: //p')
readonly PROJECT=${PROJECT:-hookline}
readonly CURRENT=$PROJECT:current PREVIOUS=$PROJECT:previous CANDIDATE=$PROJECT:candidate BEFORE=$PROJECT:before
readonly STORES=(redis postgres prometheus) INGRESSES=(ingress-1 ingress-2)
readonly WAIT_S=${HOOKLINE_WAIT_S:-60} SMOKE_WEBHOOKS=20 LOG_LINES=15

say() { printf '==> %s\n' "$*"; }
complain() { printf 'deploy: %s\n' "$*" >&2; }

. deploy/steps/containers.sh
. deploy/steps/checks.sh
. deploy/steps/passwords.sh
. deploy/steps/replacing.sh
. deploy/steps/smoke.sh
. deploy/steps/rollout.sh

usage() { sed -n '2,/^# shellcheck/{/^# shellcheck/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }

misused() {
  complain "$1"
  usage >&2
  exit 2
}

# Two at a time would take each other's containers for the old ones.
alone() {
  exec 9<.
  flock --nonblock 9 || { complain "another deployment is under way."; exit 1; }
}

main() {
  local command=${1:-} image="" smoke=smoke
  shift || true
  while [ $# -gt 0 ]; do
    case "$command $1" in
      "deploy --image") image=${2:-}; [ -n "$image" ] || misused "--image needs the name of an image."; shift 2 ;;
      "deploy --no-smoke" | "rollback --no-smoke") smoke=no-smoke; shift ;;
      *) misused "$1 is nothing that ${command:-it} knows." ;;
    esac
  done
  case "$command" in
    -h | --help | help) usage ;;
    smoke) check_tools; alone; smoke ;;
    up) check_tools; alone; bring_up ;;
    deploy)
      check_tools
      alone
      check_secrets
      check_port
      if [ -n "$image" ]; then take "$image"; else build; fi
      in_service forward "$smoke"
      ;;
    rollback)
      check_tools
      alone
      image=$(image_id "$BEFORE" || image_id "$PREVIOUS") || { complain "there is no version before: nothing was deployed over another one yet."; exit 1; }
      docker tag "$image" "$CANDIDATE"
      in_service back "$smoke"
      ;;
    *) misused "one of up, deploy, rollback and smoke is wanted." ;;
  esac
}

[ "${BASH_SOURCE[0]}" != "$0" ] || main "$@" # a test that sources it calls what it wants
