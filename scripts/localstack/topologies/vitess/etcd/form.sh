# Makes each tablet the primary of its shard, and says which tables are where.
set -euo pipefail
vitess() {
  vtctldclient --server internal --topo-implementation etcd2 \
    --topo-global-server-address "$etcd_host:$etcd_port" --topo-global-root /vitess/global "$$@"
}
vschema() { # vschema KEYSPACE PART: what the application says of it
  DATABASE_URL="vitess://chatsystem:none@$vtgate_host:$vtgate_port/$$1" SECRET_KEY="$django_secret" \
    VAR_DIR="$run" "$bin/python" "$checkout/manage.py" vschema "$$2"
}
tablets=($tablets)
for _ in {1..120}; do
  if (($$(vitess GetTablets 2>/dev/null | wc -l) == $${#tablets[@]})); then break; fi
  sleep 0.5
done
for tablet in "$${tablets[@]}"; do
  vitess TabletExternallyReparented "local-$$tablet"
done
for keyspace in $$SHARDED; do
  for part in "$$keyspace" "$${keyspace}_sharded"; do
    vitess ApplyVSchema --vschema "$$(vschema "$$keyspace" "$$part")" "$$part"
  done
  vschema "$$keyspace" routing-rules >"$run/$$keyspace.rules"
done
"$bin/python" -c 'import json, sys
print(json.dumps({"rules": [rule for name in sys.argv[1:] for rule in json.load(open(name))["rules"]]}))' \
  "$run"/*.rules >"$run/rules"
vitess ApplyRoutingRules --rules-file "$run/rules"
