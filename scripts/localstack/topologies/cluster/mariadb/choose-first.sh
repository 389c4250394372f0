# Chooses the node that makes the cluster anew, when none runs: the one with the newest data, on empty
# folders the first. Galera's own marks of that (safe_to_bootstrap, gvwstate.dat) are not enough after
# nodes ended in different ways.
set -euo pipefail
cd "$state/data"
rm -f "$state"/run/mariadb-*/first mariadb-*/gvwstate.dat

position() { # position NODE: the number of its last transaction
  local file=$$1/grastate.dat seqno
  seqno=$$(awk '/^uuid:/ && $$2 !~ /^00000000-/ { known = 1 } /^seqno:/ && known { print $$2 }' "$$file")
  if [[ $$seqno == -1 ]]; then # after a SIGKILL, only the tables tell
    seqno=$$(mariadbd --defaults-file="$state/run/$$1/server.cnf" $root_option --wsrep-recover \
      --disable-log-error 2>&1 | sed -n 's/.*WSREP: Recovered position: .*://p')
  fi
  echo "$${seqno:--1}"
}

first=mariadb-1
newest=-1
for node in mariadb-*; do
  if [[ -e $$node/grastate.dat ]]; then
    seqno=$$(position "$$node")
    if ((seqno > newest)); then
      first=$$node
      newest=$$seqno
    fi
  fi
done
echo "$$first, with transaction $$newest"
if [[ -e $$first/grastate.dat ]]; then
  sed -i 's/^safe_to_bootstrap: 0/safe_to_bootstrap: 1/' "$$first/grastate.dat"
fi
touch "$state/run/$$first/first"
