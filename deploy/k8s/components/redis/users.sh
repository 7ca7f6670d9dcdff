#!/bin/sh
# Writes the users that redis.conf names, as deploy/secrets.sh does for Compose: from passwords in the environment, so that none is among the
# arguments of a process. The file has their digests.
#
# The default user must be allowed everything: Redis loads its append-only file as that user, and what it may not do, it leaves out. Its
# password is for people; without one it is random, and nobody's.
set -eu
umask 077
users=${1:-/run/secrets}/users.acl

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

# A function of this shell, so that the password is no argument.
digest() { printf '%s' "$1" | sha256sum | cut -d' ' -f1; }

: "${REDIS_PASSWORD:?The Secret hookline-redis needs REDIS_PASSWORD, the password that is in its REDIS_URL. See docs/kubernetes.md}"
admin=${REDIS_ADMIN_PASSWORD:-$(random)}

cat >"$users" <<ACL
user default on #$(digest "$admin") ~* &* +@all
user hookline on #$(digest "$REDIS_PASSWORD") ~${HOOKLINE_PREFIX:-hookline}:* +@connection +@stream +hsetnx +hset +hdel +hmget +hget +hvals +hscan +get +set +del +pexpire +pttl +zadd +zrem +zrange +zrangebyscore +zremrangebyscore +zcard +sadd +srem +sismember +smembers +scard +lpush +lpushx +rpush +lpop +lrem +lrange +llen +lpos +time +exists +info +eval +evalsha +wait +waitaof +command|info +config|get
ACL
