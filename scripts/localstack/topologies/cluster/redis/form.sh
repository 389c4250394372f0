# Makes one cluster of the servers, once; then waits until each master has a replica, without which
# it refuses writes.
set -euo pipefail
first="$redis_1_host:$redis_1_port"
if redis-cli -h $redis_1_host -p $redis_1_port cluster info | grep -q '^cluster_slots_assigned:0'; then
  redis-cli --cluster create $redis_servers --cluster-replicas 1 --cluster-yes
fi
for _ in {1..120}; do
  masters=$$(redis-cli --cluster call "$$first" info replication 2>&1 \
    | grep -c '^min_slaves_good_slaves:[1-9]' || true)
  if ((masters >= 3)); then exit 0; fi
  sleep 0.5
done
echo "only $$masters of 3 masters have a replica" >&2
exit 1
