#!/bin/sh
# Divides the slots among the first three nodes and makes the others their replicas. Changes nothing in a
# cluster that has all its slots.
set -eu

on() { # on NUMBER COMMAND
  node=redis-$1
  shift
  valkey-cli -h "$node" "$@"
}

shows() { on 1 cluster info | tr -d '\r' | grep -qx "$1"; }

if ! shows cluster_slots_assigned:16384; then
  until shows cluster_known_nodes:6; do sleep 1; done
  on 4 cluster replicate "$(on 1 cluster myid)"
  on 5 cluster replicate "$(on 2 cluster myid)"
  on 6 cluster replicate "$(on 3 cluster myid)"
  on 1 cluster addslotsrange 0 5460
  on 2 cluster addslotsrange 5461 10922
  on 3 cluster addslotsrange 10923 16383
fi
until shows cluster_state:ok; do sleep 1; done
