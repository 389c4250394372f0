# What clients connect to. It starts when the shards are known.
set -euo pipefail
exec vtgate --topo-implementation etcd2 --topo-global-server-address "$etcd_host:$etcd_port" \
  --topo-global-root /vitess/global --cell local --cells-to-watch local --tablet-types-to-wait PRIMARY \
  --mysql-server-port $vtgate_port --mysql-server-bind-address $host \
  --mysql-auth-server-impl static --mysql-auth-server-static-file "$run/users.json" \
  --bind-address $host --port $vtgate_http_port --grpc-bind-address $host --grpc-port $vtgate_grpc_port \
  --transaction-mode MULTI --enable-buffer --buffer-window 4s --buffer-max-failover-duration 4s --tablet-refresh-interval 1s --gate-query-cache-memory 268435456 --log-format text --pprof-http=false \
  --querylog-format json --querylog-buffer-size 10000
