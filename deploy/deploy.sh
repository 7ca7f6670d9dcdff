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
# shellcheck source-path=SCRIPTDIR/..
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

. deploy/steps/containers.sh
. deploy/steps/checks.sh
. deploy/steps/replacing.sh
. deploy/steps/smoke.sh
. deploy/steps/rollout.sh

usage() { sed -n '2,/^# shellcheck/{/^# shellcheck/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }

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
