# Starts a Galera node: with a new cluster, if choose-first.sh chose it for that, which counts once.
set -euo pipefail
options=()
# After a SIGKILL, only the tables know up to where their data goes.
if grep -qs '^seqno: *-1' "$data/grastate.dat" && ! grep -q '^uuid: *00000000-' "$data/grastate.dat"; then
  position=$$(mariadbd --defaults-file=$run/server.cnf $root_option --wsrep-recover \
    --disable-log-error 2>&1 | sed -n 's/.*WSREP: Recovered position: *//p')
  if [[ -n $$position ]]; then options+=("--wsrep-start-position=$$position"); fi
fi
if rm "$run/first" 2>/dev/null; then options+=(--wsrep-new-cluster); fi
exec mariadbd --defaults-file=$run/server.cnf $root_option "$${options[@]}"
