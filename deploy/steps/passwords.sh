#!/usr/bin/env bash
# Who may come to Redis and PostgreSQL, and with which passwords, while a deployment changes them. Sourced by deploy.sh.
#
# Redis accepts the passwords from before and the new ones until the deployment has succeeded, so nobody is shut out, whichever he has.
# PostgreSQL has one password for a role: until the processors are replaced, or after going back, the history waits in Redis.

# secrets_to change|restore|settle: deploy/secrets.sh in its container, which says what is wrong.
secrets_to() { docker compose --progress quiet run --rm -T secrets sh /secrets.sh "$1" >/dev/null; }

# Redis reads its list of users again. Only if it does not know the password of its administrator, it has to start again for that. While
# it starts or loads its data, it has read the list.
tell_redis() {
  local answers
  # shellcheck disable=SC2016 # the container's shell reads the passwords
  answers=$(compose exec -T redis sh -c '
    for one in /run/secrets/redis_admin_password /run/secrets/.before/redis_admin_password; do
      [ ! -e "$one" ] || REDISCLI_AUTH=$(cat "$one") redis-cli --user default acl load
    done
    REDISCLI_AUTH=$(cat /run/secrets/redis_password) redis-cli --user hookline ping' 2>&1 || true)
  [[ "${answers##*OK}" == *WRONGPASS* ]] || return 0
  say "redis: starting again, since it does not know the passwords of deploy/secrets/"
  compose restart redis || { complain "redis cannot be started again: see above."; return 1; }
}

# By its own address, since it lets everybody in that comes from 127.0.0.1. The change itself goes through its socket, which asks for no
# password; what psql reads in backticks is in no list of processes.
tell_postgres() {
  # shellcheck disable=SC2016 # the container's shell reads the password
  compose exec -T postgres sh -c '
    PGPASSWORD=$(cat /run/secrets/postgres_password) psql -h "$(hostname -i | cut -d" " -f1)" -U hookline -d hookline -Atqc "" 2>/dev/null' && return
  say "postgres: changing the password"
  compose exec -T postgres psql -q -v ON_ERROR_STOP=1 -U hookline -d hookline <<'SQL' || { complain "postgres does not take its password: see above."; return 1; }
\set new `sed 's/[[:space:]]*$//' /run/secrets/postgres_password`
ALTER ROLE hookline PASSWORD :'new';
SQL
}
