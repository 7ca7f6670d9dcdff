#!/bin/sh
# Fills the volume of secrets, from which every container reads: what lies in deploy/secrets/, and random values for the rest.
#
# Each file is for the group of who needs it (`group_add` in compose.yaml), whoever owns yours. What was made once stays, or PostgreSQL,
# which takes its password only when it makes its data, would no longer be reached. compose.yaml runs this before anything else.
set -eu
given=/given
kept=/run/secrets
all=0:10001
twilio=0:10002
ledger=0:10003
sender=0:10004
grafana=472:0
umask 077

say() { printf 'secrets: %s\n' "$*"; }

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

# put NAME OWNER [MODE], with the content on standard input. Never half a file: others may be reading it.
put() {
  cat >"$kept/.new"
  chown "$2" "$kept/.new"
  case "$2" in
    0:0) chmod "${3:-400}" "$kept/.new" ;;
    *) chmod 440 "$kept/.new" ;;
  esac
  mv "$kept/.new" "$kept/$1"
}

# keep NAME OWNER DEFAULT: what you gave, else what was kept, else DEFAULT.
keep() {
  if [ -s "$given/$1" ]; then
    put "$1" "$2" <"$given/$1"
  elif [ -e "$kept/$1" ]; then
    put "$1" "$2" <"$kept/$1"
  else
    printf '%s\n' "$3" | put "$1" "$2"
  fi
}

# derive NAME OWNER VALUE: what you gave, else VALUE, which may have changed with what it is made of.
derive() {
  if [ -s "$given/$1" ]; then put "$1" "$2" <"$given/$1"; else printf '%s\n' "$3" | put "$1" "$2"; fi
}

# The folder can be passed, not listed; what is in it, its group alone can read.
chmod 711 "$kept"

if [ ! -s "$given/twilio_auth_token" ] && [ ! -s "$kept/twilio_auth_token" ]; then
  say "deploy/secrets/twilio_auth_token is missing, so a random token was made. It serves for trying out: until you put"
  say "your auth token there and deploy again, nothing that Twilio sends will verify."
fi
keep twilio_auth_token "$twilio" "$(random | cut -c1-32)"
derive twilio_shared_keys "$twilio" "" # a key that you take away counts no more
derive twilio_api_secret "$sender" ""
derive alert_url "$all" ""
keep redis_password 0:0 "$(random)"
keep redis_admin_password 0:0 "$(random)"
keep postgres_password 0:0 "$(random)"
keep grafana_password "$grafana" "$(random)"
derive redis_url "$all" "redis://hookline:$(cat "$kept/redis_password")@redis:6379/0"
derive database_url "$ledger" "postgresql://hookline:$(cat "$kept/postgres_password")@postgres:5432/hookline"

# Redis runs as a user whose number differs from image to image. The file has the passwords' digests, not the passwords.
# The default user must be allowed everything: Redis loads its append-only file as that user, and what it may not do, it leaves out.
digest() { sed 's/[[:space:]]*$//' "$kept/$1" | tr -d '\n' | sha256sum | cut -d' ' -f1; }
put users.acl 0:0 444 <<ACL
user default on #$(digest redis_admin_password) ~* &* +@all
user hookline on #$(digest redis_password) ~${HOOKLINE_PREFIX:-hookline}:* +@connection +@stream +hsetnx +hset +hdel +hmget +hget +hvals +hscan +get +set +del +pexpire +pttl +zadd +zrem +zrange +zrangebyscore +zremrangebyscore +zcard +zscore +zscan +sadd +srem +sismember +smembers +scard +lpush +lpushx +rpush +lpop +lrem +lrange +llen +lpos +time +exists +info +eval +evalsha +wait +waitaof +command|info +config|get
ACL
say "all there"
