#!/usr/bin/env bash
# Puts containers in the place of others. Sourced by deploy.sh. Nothing here stops a container before what comes instead is healthy,
# but for `door`, whose port only one can have.

start_stores() {
  say "redis, postgres, prometheus and door"
  # With another CONFIG_FILE or HANDLERS_DIR, Compose would replace its container, and with it redis and all others that depend on it.
  remove_ended secrets
  compose up --detach --quiet-pull secrets "${STORES[@]}" || { complain "one of them cannot be started: see above."; return 1; }
  tell_redis || return 1
  local service
  for service in "${STORES[@]}"; do await_service "$service" || return 1; done
  tell_postgres || return 1
  # It reads its rules again. (docker kill would also take away its restart policy.)
  compose exec -T prometheus sh -c 'kill -HUP 1' || { complain "prometheus cannot be told to read its rules again: see above."; return 1; }
  # The ingress containers live in its network and would be cut off with another one, so it stays until its port changes.
  remove_ended door
  compose up --detach --no-deps --no-recreate door || { complain "door cannot be started: see above."; return 1; }
}

migrate() {
  say "bringing the ledger's tables to the form of this version"
  compose run --rm -T --no-deps migrate || { complain "migrate failed: see above."; return 1; }
}

# replace_processors LEAVING...: starts as many as are wanted beside those, and when all are healthy, ends those. So partitions move over
# as they do in any restart, and if none can be made, none goes. What else there is stays, and counts as wanted.
replace_processors() {
  local present wanted leaving=() staying=0 one
  remove_ended processor
  mapfile -t present < <(containers_of processor)
  for one in "${present[@]}"; do
    if among "$one" "$@"; then leaving+=("$one"); else staying=$((staying + 1)); fi
  done
  wanted=$(wanted_processors)
  ((wanted >= staying)) || wanted=$staying # fewer would have Compose choose whom to end
  say "processor: starting $((wanted - staying)) beside ${#leaving[@]} that will go"
  compose up --detach --no-deps --no-recreate --scale "processor=$((wanted + ${#leaving[@]}))" processor || {
    complain "not all processors can be started: see above."
    return 1
  }
  await_processors "$wanted" "${leaving[@]}" || return 1
  for one in "${leaving[@]}"; do docker stop "$one" >/dev/null && docker rm "$one" >/dev/null; done
  return 0
}

# await_processors WANTED LEAVING...: fails unless so many others than those are healthy.
await_processors() {
  local wanted=$1 healthy=0 one
  shift
  for one in $(containers_of processor); do
    among "$one" "$@" && continue
    await_healthy "$one" || return 1
    healthy=$((healthy + 1))
  done
  ((healthy >= wanted)) || { complain "only $healthy processors of $wanted were made."; return 1; }
}

# replace_ingress SERVICE: Compose makes the new container before it ends the old one, so where it cannot, the old one goes on.
replace_ingress() {
  local before
  remove_ended "$1"
  before=$(containers_of "$1")
  say "$1"
  compose up --detach --no-deps --force-recreate "$1" || { complain "$1 cannot be replaced: see above."; return 1; }
  [ "$(containers_of "$1")" != "$before" ] || { complain "$1 is still the container from before."; return 1; }
  await_service "$1"
}

# Another port means another door, and with it another network for both.
replace_door() {
  say "door: from $(present_door) to $(wanted_door). The port is closed until ingress is up again"
  compose up --detach --no-deps --force-recreate door "${INGRESSES[@]}" || { complain "door and ingress cannot be replaced: see above."; return 1; }
  local service
  for service in "${INGRESSES[@]}"; do await_service "$service" || return 1; done
}

replace_ingresses() {
  if [ "$(present_door)" != "$(wanted_door)" ]; then
    replace_door
    return
  fi
  local service
  for service in "${INGRESSES[@]}"; do replace_ingress "$service" || return 1; done
}
