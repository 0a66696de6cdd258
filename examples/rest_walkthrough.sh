#!/usr/bin/env bash
# The first steps with the REST API, with curl alone: log in, list archived experiments, take one out of the archive.
#     DET_MASTER=http://127.0.0.1:8080 DET_USER=determined DET_PASS=... bash examples/rest_walkthrough.sh
set -euo pipefail
master=${DET_MASTER:-http://127.0.0.1:8080} user=${DET_USER:-determined} password=${DET_PASS:-}
field() { python3 -c 'import json,sys; v=json.load(sys.stdin)
for k in sys.argv[1].split("."): v=v[int(k)] if k.isdigit() else v[k]
print(v)' "$1"; }
api() { curl -sS --fail-with-body -H "Authorization: Bearer $token" "$@"; }

echo "1. Log in as $user"
token=$(curl -sS --fail-with-body "$master/api/v1/auth/login" \
    -d "$(python3 -c 'import json,sys; print(json.dumps({"username": sys.argv[1], "password": sys.argv[2]}))' "$user" "$password")" | field token)

echo "2. Make an experiment and archive it"
config='{"name": "walkthrough", "entrypoint": "true", "searcher": {"name": "single", "metric": "loss"}, "resources": {"slots_per_trial": 0}}'
id=$(api "$master/api/v1/experiments" -d "$(python3 -c 'import json,sys; print(json.dumps({"config": sys.argv[1]}))' "$config")" | field experiment.id)
api -X POST "$master/api/v1/experiments/$id/kill" >/dev/null
for _ in $(seq 100); do
    state=$(api "$master/api/v1/experiments/$id" | field experiment.state)
    [ "$state" = STATE_CANCELED ] && break
    sleep 0.1
done
api -X POST "$master/api/v1/experiments/$id/archive" >/dev/null

echo "3. List archived experiments, one on a page"
api "$master/api/v1/experiments?archived=true&limit=1"
echo

echo "4. Take experiment $id out of the archive"
api -X POST "$master/api/v1/experiments/$id/unarchive" >/dev/null
archived=$(api "$master/api/v1/experiments/$id" | field experiment.archived)
echo "   archived: $archived"
[ "$archived" = False ]
