#!/usr/bin/env bash
# Puts containers in the place of others, and back. Sourced by deploy.sh.

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
