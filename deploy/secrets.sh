#!/bin/sh
# The secrets, from which every container reads: what lies in deploy/secrets/, and random values for the rest. compose.yaml runs this
# before anything else.
#
#   secrets.sh           hand over what lies in deploy/secrets/. The passwords of Redis and PostgreSQL stay: both ends of a connection
#                        have to change together, which only a deployment does
#   secrets.sh change    a deployment begins: the passwords, too. What was before is kept in .before/, and Redis' list of users accepts
#                        the passwords from before as well, so that the containers that serve go on
#   secrets.sh restore   it failed: everything as it was when it began
#   secrets.sh settle    it succeeded: the passwords from before count no more
#
# It may die between any two steps. .before/ is made whole or not at all, and stays until `restore` or `settle`: the next deployment goes
# on from there. A password that was accepted is accepted until `settle`.
#
# Each file is for the group of who needs it (`group_add` in compose.yaml), whoever owns yours. What was made once stays, or PostgreSQL,
# which takes its password only when it makes its data, would no longer be reached.
set -eu
given=${HOOKLINE_GIVEN:-/given}
kept=${HOOKLINE_KEPT:-/run/secrets}
mounted=${HOOKLINE_MOUNTED:-/mounted}
all=0:10001
twilio=0:10002
ledger=0:10003
sender=0:10004
console=0:10005
prometheus=0:10006
grafana=472:0
umask 077

say() { printf 'secrets: %s\n' "$*" >&2; }

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

# agree NAME OWNER DEFAULT: the same for what both ends know. Unless a deployment changes it at both, what was kept comes first.
agree() {
  if [ "$mode" = change ] || [ ! -e "$kept/$1" ]; then
    keep "$@"
  elif [ -s "$given/$1" ] && [ "$(value "$given/$1")" != "$(value "$kept/$1")" ]; then
    say "deploy/secrets/$1 is not the password that is in service, which stays. make deploy changes it."
  fi
}

# derive NAME OWNER VALUE: what you gave, else VALUE, which may have changed with what it is made of.
derive() {
  if [ -s "$given/$1" ]; then put "$1" "$2" <"$given/$1"; else printf '%s\n' "$3" | put "$1" "$2"; fi
}

# value FILE: what is in it, without the end of the line.
value() { sed 's/[[:space:]]*$//' "$1" | tr -d '\n'; }

# in_url NAME: the password as a part of a URL, where some characters mean something else.
in_url() {
  case "$(value "$kept/$1")" in
    *[!A-Za-z0-9._~-]*) value "$kept/$1" | od -An -v -tx1 | tr -d '\n' | sed 's/ /%/g' ;;
    *) value "$kept/$1" ;;
  esac
}

hand_over() {
  if [ ! -s "$given/twilio_auth_token" ] && [ ! -s "$kept/twilio_auth_token" ]; then
    say "deploy/secrets/twilio_auth_token is missing, so a random token was made. It serves for trying out: until you put"
    say "your auth token there and deploy again, nothing that Twilio sends will verify."
  fi
  keep twilio_auth_token "$twilio" "$(random | cut -c1-32)"
  derive twilio_shared_keys "$twilio" "" # a key that you take away counts no more
  derive twilio_api_secret "$sender" ""
  derive forward_auth_token "$sender" ""
  derive console_users "$console" "" # who is taken away signs in no more
  derive alert_url "$all" ""
  derive alert_routing_key "$all" ""
  derive admin_token "$all" ""
  put prometheus_token "$prometheus" <"$kept/admin_token" # what it needs of the others, and no more
  agree redis_password 0:0 "$(random)"
  agree redis_admin_password 0:0 "$(random)"
  agree postgres_password 0:0 "$(random)"
  keep grafana_password "$grafana" "$(random)"
  derive redis_url "$all" "redis://hookline:$(in_url redis_password)@redis:6379/0"
  derive database_url "$ledger" "postgresql://hookline:$(in_url postgres_password)@postgres:5432/hookline"
}

digest() { printf '#%s\n' "$(value "$1" | sha256sum | cut -d' ' -f1)"; }

# accepted NAME: what Redis accepts as this password, in its list of users: digests, not the passwords.
accepted() {
  {
    digest "$kept/$1"
    if [ "$mode" != settle ]; then
      [ ! -e "$kept/.before/$1" ] || digest "$kept/.before/$1"
      [ ! -e "$kept/.accepted_$1" ] || cat "$kept/.accepted_$1"
    fi
  } | sort -u | put ".accepted_$1" 0:0
  tr '\n' ' ' <"$kept/.accepted_$1"
}

# Redis runs as a user whose number differs from image to image. The default user must be allowed everything: Redis loads its append-only
# file as that user, and what it may not do, it leaves out.
list_users() {
  admin=$(accepted redis_admin_password)
  service=$(accepted redis_password)
  put users.acl 0:0 444 <<ACL
user default on $admin~* &* +@all
user hookline on $service~${HOOKLINE_PREFIX:-hookline}:* +@connection +@stream +hsetnx +hset +hdel +hmget +hget +hvals +hscan +get +set +del +pexpire +pttl +zadd +zrem +zrange +zrangebyscore +zremrangebyscore +zcard +zscore +zscan +sadd +srem +sismember +smembers +scard +lpush +lpushx +rpush +lpop +lrem +lrange +llen +lpos +time +exists +info +eval +evalsha +wait +waitaof +command|info +config|get
ACL
}

# Nothing is kept of a deployment that has found nothing, nor twice: what was when the first began that did not end is what served.
remember() {
  [ ! -e "$kept/.before" ] || return 0
  rm -rf "$kept/.before.new"
  mkdir "$kept/.before.new"
  for one in "$kept"/*; do [ ! -f "$one" ] || cp -p "$one" "$kept/.before.new/"; done
  mv "$kept/.before.new" "$kept/.before"
}

put_back() {
  for one in "$kept"/.before/*; do
    [ -e "$one" ] || continue
    cp -p "$one" "$kept/.new"
    mv "$kept/.new" "$kept/$(basename "$one")"
  done
}

forget() {
  rm -rf "$kept/.before.new"
  [ ! -e "$kept/.before" ] || mv "$kept/.before" "$kept/.before.new"
  rm -rf "$kept/.before.new"
}

# A webhook is signed with one token. Whoever changes it needs both for a while.
compare_tokens() {
  old=$kept/.before/twilio_auth_token
  [ "$mode" = change ] && [ -s "$old" ] && [ "$(value "$old")" != "$(value "$kept/twilio_auth_token")" ] || return 0
  for one in $(value "$old" | tr ',' ' '); do
    case ",$(value "$kept/twilio_auth_token" | tr -d ' ')," in
      *",$one,"*) ;;
      *) say "an auth token that served is no longer in deploy/secrets/twilio_auth_token: what Twilio signs with it gets a 403 from now on." ;;
    esac
  done
}

# Containers do not run as the owner of the clone, so what others may not read, they cannot. Handlers may have folders of their own tools.
check_modes() {
  [ -d "$mounted" ] || return 0
  closed=$(find "$mounted" \( -name .git -o -name .venv -o -name __pycache__ \) -prune -o \
    \( -type f ! -perm -004 -o -type d ! -perm -005 \) -print | sort)
  [ -n "$closed" ] || return 0
  say "others may not read these files of the clone, so the containers, which run as other users, cannot:"
  printf '%s\n' "$closed" | head -n 8 | sed "$in_clone; s|^|    |" >&2
  say "They were made with a umask such as 027 or 077. Nothing in them is secret; deploy/secrets/ stays closed. Run this, and try again:"
  say "chmod -R o+rX $(printf '%s\n' "$closed" | sed "$in_clone; s|^\\(deploy/[^/]*\\)/.*|\\1|; s|^$handlers/.*|$handlers|" | sort -u | tr '\n' ' ')"
  exit 1
}
handlers=${HANDLERS_DIR:-./examples}
in_clone="s|^$mounted/handlers|$handlers|; s|^$mounted/config\$|${CONFIG_FILE:-./deploy/hookline.toml}|; s|^$mounted/||"

mode=${1:-hand_over}
# The folder can be passed, not listed; what is in it, its group alone can read.
chmod 711 "$kept"
case "$mode" in
  hand_over)
    check_modes
    hand_over
    ;;
  change)
    check_modes
    remember
    hand_over
    compare_tokens
    ;;
  restore) put_back ;;
  settle) ;;
  *)
    say "one of change, restore and settle is wanted."
    exit 2
    ;;
esac
list_users
case "$mode" in restore | settle) forget ;; esac
echo "secrets: all there"
