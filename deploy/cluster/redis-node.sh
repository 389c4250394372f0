#!/bin/sh
# Starts a node of Redis Cluster. A new container has a new address, so each node announces itself to
# the others as soon as it runs. Those that start later do the same.
set -eu

meet_the_others() {
  until valkey-cli ping | grep -q PONG; do sleep 1; done
  for number in 1 2 3 4 5 6; do
    address=$(getent ahostsv4 "redis-$number" | awk 'NR == 1 { print $1 }')
    [ -z "$address" ] || valkey-cli cluster meet "$address" 6379
  done
}

(meet_the_others &)
exec "$@" --cluster-announce-hostname "$(hostname)"
