#!/usr/bin/env bash
# What is looked at before anything is touched. Sourced by deploy.sh.

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
  [ "$(present_door)" != "$wanted" ] || return 0
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
  HOOKLINE_TAG=${CANDIDATE#*:} docker compose build --quiet image || { complain "the image cannot be built: see above."; exit 1; }
}

# take IMAGE: makes it the candidate. A tag such as `latest` moves, so a registry that the name has is asked first. A name without one is of
# this machine: Docker would ask its own registry, where anybody may have taken it.
take() {
  local registry=${1%%/*}
  if [[ "$1" == */* && "$registry" =~ [.:] ]] && docker pull --quiet "$1" >/dev/null; then
    say "taking $1 as $registry has it"
  elif image_id "$1" >/dev/null; then
    say "taking $1 as it lies here"
  else
    complain "there is no image $1, neither here nor in a registry that its name tells."
    exit 1
  fi
  docker tag "$1" "$CANDIDATE"
}

# The settings are read by the new version before the old one goes.
check_settings() {
  say "checking the settings with the new version"
  local found
  found=$(HOOKLINE_TAG=${CANDIDATE#*:} docker compose run --rm -T --no-deps hookline config --changed 2>&1) && return
  complain "ingress and processor would not start with these settings (.env, deploy/secrets/), or the image is broken:"
  tail -n "$LOG_LINES" <<<"$found" | sed 's/^/    /' >&2
  return 1
}

# What does not run is started; what runs stays as it is, whatever compose.yaml and .env say now. So a second call does no harm.
bring_up() {
  [ -n "$(present_door)" ] || check_port
  image_id "$CURRENT" >/dev/null || { build && docker tag "$CANDIDATE" "$CURRENT"; }
  secrets_to hand_over || { complain "the secrets cannot be handed over: see above."; exit 1; }
  say "starting what does not run"
  compose up --detach --no-build --no-recreate --quiet-pull --wait || { complain "not everything is up: see above, and: docker compose ps --all"; exit 1; }
  [ -s "$SERVING" ] || remember_settings
  say "up: webhooks at http://$(present_door). To try it: make smoke"
}
