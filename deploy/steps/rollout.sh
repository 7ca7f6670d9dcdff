#!/usr/bin/env bash
# One version takes the place of another, or gives it back. Sourced by deploy.sh.

readonly SERVING=deploy/.serving.yaml # compose.yaml with every setting filled in, as it was when the last deployment succeeded
old_image=""                          # id of the image that serves, empty if none does
old_containers=()                     # those of ingress and processor that ran before
old_alerts=""                         # the critical alerts that were firing before
undo=no                               # whether something may have been replaced, which a failure has to put back
handed_over=no                        # whether the secrets may have been, and nothing has been decided yet
tried=smoke                           # or no-smoke: whether what serves in the end is tried

# in_service forward|back smoke|no-smoke: puts the candidate into service, tries it, and remembers what was before.
in_service() {
  tried=$2
  remember
  trap 'exit 130' INT TERM HUP
  trap leave EXIT
  handed_over=yes
  secrets_to change || { complain "the secrets cannot be handed over: see above."; exit 1; }
  [ "$1" = back ] || check_settings || exit 1
  undo=yes
  [ -z "$old_image" ] || docker tag "$old_image" "$BEFORE"
  docker tag "$CANDIDATE" "$CURRENT"
  start_stores || exit 1
  "$1" || exit 1
  [ "$2" = no-smoke ] || smoke "$1" "$old_alerts" || exit 1
  undo=no
  settle_secrets
  [ -z "$old_image" ] || [ "$old_image" = "$(image_id "$CURRENT")" ] || docker tag "$old_image" "$PREVIOUS"
  forget_image_before
  remember_settings
  say "version $(version_of "$CURRENT") is in service ($(image_id "$CURRENT" | cut -c8-19))"
}

settle_secrets() {
  secrets_to settle && tell_redis && handed_over=no && return
  complain "the passwords from before may still be accepted; the next deployment tries again to end that."
  handed_over=no
}

# Processors first: they read what the version before wrote, while the reverse would have to be promised.
forward() {
  migrate || return 1
  replace_all_processors || return 1
  replace_ingresses
}

# Ingress first: what a newer one still wrote would be dead letters of older processors. Tables of a newer form are left as they are.
back() {
  replace_ingresses || return 1
  replace_all_processors
}

replace_all_processors() {
  local present
  mapfile -t present < <(containers_of processor)
  replace_processors "${present[@]}"
}

remember() {
  local service one
  for service in "${INGRESSES[@]}" processor; do
    for one in $(compose ps --quiet "$service"); do old_containers+=("$one"); done
  done
  # A deployment that was killed has left some containers of its own, and the image that served when it began, as it has left the secrets.
  # Else, with both ingresses down, a processor tells as well what serves.
  old_image=$(image_id "$BEFORE") || [ ${#old_containers[@]} -eq 0 ] || old_image=$(image_of "${old_containers[0]}") || {
    complain "the container ${old_containers[0]}, which served just now, is gone. Nothing was changed; try again."
    exit 1
  }
  old_alerts=$(critical_alerts 2>/dev/null || true)
}

# The settings of what serves, which .env may not be any more when the next deployment fails. It may hold what is nobody's business.
# Services of all profiles, since the smoke test runs one.
remember_settings() {
  (umask 077 && compose --profile '*' config >"$SERVING") && return
  rm -f "$SERVING"
  complain "$SERVING cannot be written, so the next deployment that fails will not go back to these settings."
}

forget_image_before() { docker image rm "$BEFORE" >/dev/null 2>&1 || true; }

# serves_still CONTAINER: whether it ran before, of the image that served, and still does what it did.
serves_still() { among "$1" "${old_containers[@]}" && is_old_and_healthy "$1"; }

# Containers that ran before and still serve stay as they are; in the place of all others come some of the old image with the old settings.
put_back() {
  complain "going back to the version that served."
  docker tag "$old_image" "$CURRENT"
  put_secrets_back
  [ ! -s "$SERVING" ] || SETTINGS=(--project-directory . --file "$SERVING")
  put_stores_back
  put_ingresses_back || complain "not all of ingress could be put back."
  put_processors_back || complain "not all processors could be put back."
  [ -n "$(not_serving)" ] || forget_image_before
}

# First of all, since what is started from here on reads them. Files of deploy/secrets/ stay as they are: those are yours.
put_secrets_back() {
  secrets_to restore || complain "the secrets from before could not be put back: see above."
  handed_over=no
}

# Those that are well have the new settings at most, and are left alone, but for the passwords.
put_stores_back() {
  local service
  tell_redis
  for service in "${STORES[@]}"; do
    is_healthy "$(containers_of "$service")" && continue
    say "$service"
    compose up --detach --no-deps --force-recreate "$service"
    await_service "$service" || complain "$service could not be put back."
  done
  tell_postgres
}

put_ingresses_back() {
  if [ "$(present_door)" != "$(wanted_door)" ]; then
    replace_door
    return
  fi
  local service one failed=0
  for service in "${INGRESSES[@]}"; do
    one=$(containers_of "$service")
    { serves_still "$one" && behind_door "$one"; } || replace_ingress "$service" || failed=1
  done
  return $failed
}

put_processors_back() {
  local leaving=() staying=0 one
  for one in $(containers_of processor); do
    if serves_still "$one"; then staying=$((staying + 1)); else leaving+=("$one"); fi
  done
  [ ${#leaving[@]} -eq 0 ] && [ "$staying" -ge "$(wanted_processors)" ] || replace_processors "${leaving[@]}"
}

# not_serving: which stores are not healthy, and what of ingress and processor is not there, healthy and of the old image.
not_serving() {
  local service one serving=0
  for service in "${STORES[@]}"; do is_healthy "$(containers_of "$service")" || printf '%s\n' "$service"; done
  for service in "${INGRESSES[@]}"; do
    one=$(containers_of "$service")
    { is_old_and_healthy "$one" && behind_door "$one"; } || printf '%s\n' "$service"
  done
  for one in $(containers_of processor); do is_old_and_healthy "$one" && serving=$((serving + 1)); done
  [ "$serving" -ge "$(wanted_processors)" ] || printf 'processor (%s of %s serve)\n' "$serving" "$(wanted_processors)"
}

is_old_and_healthy() { is_healthy "$1" && [ "$(image_of "$1")" = "$old_image" ]; }

# What is said at the end is what was looked at and tried, not what was meant.
say_what_serves() {
  local missing version
  missing=$(not_serving)
  grep -qs '^  caller:' "$SERVING" || SETTINGS=() # of a version of this script that did not keep what the smoke test runs
  version="version $(version_of "$old_image") (${old_image:7:12})"
  if [ -n "$missing" ]; then
    complain "the deployment failed, and so did going back to $version: ${missing//$'\n'/, } is not as before. See above, and: docker compose ps --all"
  elif [ "$tried" = no-smoke ]; then
    complain "the deployment failed; the containers of $version are as before. Whether they work was not tried (--no-smoke)."
  elif smoke back "$old_alerts"; then
    complain "the deployment failed; $version serves as before."
  else
    complain "the deployment failed; the containers of $version are as before, but the smoke test fails with them, too: see above."
  fi
}

# On the way out, however that came: a failure, Ctrl-C, a closed terminal. From here on nothing ends it before all is back: not a second
# Ctrl-C, which would also reach docker if it were of the terminal's group, nor a terminal that takes no more words.
leave() {
  local code=$?
  trap '' INT TERM HUP PIPE
  trap - EXIT
  set +e
  docker() { setsid --wait docker "$@"; }
  if [ "$undo" = yes ] && [ "$code" -ne 0 ]; then
    if [ -n "$old_image" ]; then
      put_back
      say_what_serves
    else
      complain "the first deployment failed. The containers are left to be looked at; docker compose down removes them."
    fi
  elif [ "$handed_over" = yes ]; then
    put_secrets_back
  fi
  exit "$code"
}
