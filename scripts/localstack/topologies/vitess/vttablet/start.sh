# The tablet of one shard. Those of the application are local-1 to local-3, those of tests the next
# three: each MySQL has a shard of both. From local-7 on they are those of four shards.
set -euo pipefail
vitess() {
  vtctldclient --server internal --topo-implementation etcd2 \
    --topo-global-server-address "$etcd_host:$etcd_port" --topo-global-root /vitess/global "$$@"
}
make_once() { # make_once COMMAND: until it succeeds, or what it makes is there
  for _ in {1..60}; do
    if vitess "$$@" >made.log 2>&1 || grep -q 'exists' made.log; then return; fi
    sleep 0.5
  done
  cat made.log >&2
  exit 1
}
case $index in
  1) keyspace=chatsystem shard=0 mysqld=1 ;;
  2) keyspace=chatsystem_sharded shard=-80 mysqld=2 ;;
  3) keyspace=chatsystem_sharded shard=80- mysqld=3 ;;
  4) keyspace=test_chatsystem shard=0 mysqld=1 ;;
  5) keyspace=test_chatsystem_sharded shard=-80 mysqld=2 ;;
  6) keyspace=test_chatsystem_sharded shard=80- mysqld=3 ;;
  7) keyspace=chatsystem_sharded shard=-40 mysqld=4 ;;
  8) keyspace=chatsystem_sharded shard=40-80 mysqld=5 ;;
  9) keyspace=chatsystem_sharded shard=80-c0 mysqld=6 ;;
  10) keyspace=chatsystem_sharded shard=c0- mysqld=7 ;;
esac
make_once AddCellInfo --root /vitess/local --server-address "$etcd_host:$etcd_port" local
make_once CreateKeyspace --sidecar-db-name "_vt_$$keyspace" "$$keyspace"
if (($index > 6)); then # the first of two shards with the same rows serves them
  for first in -80 80-; do make_once CreateShard "$$keyspace/$$first"; done
fi
exec vttablet --topo-implementation etcd2 --topo-global-server-address "$etcd_host:$etcd_port" \
  --topo-global-root /vitess/global --tablet-path "local-$index" --tablet-hostname $host \
  --init-keyspace "$$keyspace" --init-shard "$$shard" --init-tablet-type replica \
  --unmanaged --db-credentials-file "$run/passwords.json" --db-socket "$state/run/mysqld-$$mysqld.sock" --db-charset utf8mb4 \
  --bind-address $host --port $vttablet_port --grpc-bind-address $host --grpc-port $vttablet_grpc_port \
  --service-map grpc-queryservice,grpc-tabletmanager,grpc-updatestream --log-format text \
  --health-check-interval 1s --queryserver-config-transaction-cap 200 --queryserver-config-pool-size 50 \
  --queryserver-config-transaction-timeout 10s --migration-check-interval 5s
