# What vtctldclient asks to change where rows are.
set -euo pipefail
exec vtctld --topo-implementation etcd2 --topo-global-server-address "$etcd_host:$etcd_port" \
  --topo-global-root /vitess/global --cell local --service-map grpc-vtctl,grpc-vtctld \
  --bind-address $host --port $vtctld_http_port --grpc-bind-address $host --grpc-port $vtctld_port \
  --log-format text
