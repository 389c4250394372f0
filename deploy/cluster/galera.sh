#!/bin/bash
# Starts a node of Galera. The node begins a new cluster only where that cannot split an existing one: no
# other node serves, and this is the first node of a new installation or the one that stopped last.
set -euo pipefail

data=/var/lib/mysql

serves() { timeout 2 bash -c ": <>/dev/tcp/$1/3306" 2>/dev/null; }

is_alone() {
  local node
  for node in mariadb-{1..3}; do
    if [[ $node != "$HOSTNAME" ]] && serves "$node"; then return 1; fi
  done
}

may_begin() {
  if [[ -e $data/grastate.dat ]]; then
    grep -q '^safe_to_bootstrap: 1' "$data/grastate.dat"
  else
    [[ $HOSTNAME == mariadb-1 ]]
  fi
}

# After a SIGKILL, only the tables know up to where their data goes.
if grep -qs '^seqno: *-1' "$data/grastate.dat" && ! grep -q '^uuid: *00000000-' "$data/grastate.dat"; then
  position=$("$@" --wsrep-recover --disable-log-error 2>&1 | sed -n 's/.*WSREP: Recovered position: *//p')
  if [[ -n $position ]]; then set -- "$@" "--wsrep-start-position=$position"; fi
fi
if may_begin && is_alone; then set -- "$@" --wsrep-new-cluster; fi
exec docker-entrypoint.sh "$@"
