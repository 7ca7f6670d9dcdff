#!/usr/bin/env bash
# One version takes the place of another, or gives it back. Sourced by deploy.sh.

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
