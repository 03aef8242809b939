#!/usr/bin/env bash
# `make demo-docker`: the demo on containers. It needs Docker and compose, nothing else.
#
# DEMO_SECONDS=n ends it by itself, n seconds after it is ready, with exit status 0 only if statistics came back over
# HTTP and every event was accounted for. What of the stack ran before keeps running, and data is kept.
# Whatever compose reads counts: FRONT_PORT, PROMETHEUS_PORT, COMPOSE_PROJECT_NAME, COMPOSE_FILE, …
set -euo pipefail
cd "$(dirname "$0")/../.."

# The fleet, its history and its present are those of `make demo` (ops/demo.py).
history=(--devices 500 --seed 7 --quiet --interval 10s)
log=$(mktemp)
once="plumbline-demo-$$" # a container for one command at a time, by a name that the clean-up knows
run=(run --rm --no-deps --name "$once")
watch=(ops watch)

say() { printf '%s\n' "$*"; }

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# One line with the fix for whatever is between us and the engine.
find_engine() {
  command -v docker >/dev/null || fail "docker isn't installed → https://docs.docker.com/engine/install (make demo does without)"
  if docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
  elif command -v docker-compose >/dev/null; then
    compose=(docker-compose)
  else
    fail "docker has no compose → install docker-compose-plugin, or Debian's docker-compose"
  fi
  docker info >"$log" 2>&1 && return
  if grep -qi 'permission denied' "$log"; then
    fail "no right to use the Docker engine → sudo usermod -aG docker $(id -un) and log in again, or sudo make demo-docker"
  fi
  fail "the Docker engine doesn't answer → sudo systemctl start docker"
}

# Compose; what it says is seen only when it fails.
quietly() { "${compose[@]}" "$@" </dev/null >"$log" 2>&1; }

must() { # must WHAT ARGUMENTS…
  local what=$1
  shift
  quietly "$@" && return
  if grep -qE 'port is already allocated|address already in use' "$log"; then
    fail "$(grep -oE '[0-9.]+:[0-9]+' "$log" | tail -n 1) is taken → choose another: FRONT_PORT=8100 make demo-docker"
  fi
  tail -n 15 "$log" >&2
  fail "$what failed: see above"
}

start() {
  say "starting $*"
  must "starting $*" up -d "$@"
}

# What the demo can do without, such as what has an image that can't be had.
try() {
  local name absent=
  if quietly up -d --no-deps "$@"; then
    say "starting $*"
    return
  fi
  for name; do
    if quietly up -d --no-deps "$name"; then
      say "starting $name"
    elif grep -qiE 'registry|manifest|pull access|no such image' "$log"; then
      absent+=" $name"
    else
      say "$name is left out: $(grep -iE 'already|denied|error|failed' "$log" | head -n 1)"
      quietly rm -sf "$name" || true
    fi
  done
  [[ -z $absent ]] || say "left out, as there is no way to their images from here:$absent"
}

running() { "${compose[@]}" ps --services --filter status=running 2>/dev/null | sort; }

finish() {
  trap '' INT TERM HUP # a second Ctrl-C is only impatience
  docker rm -f "$once" >/dev/null 2>&1 || true
  say "stopping what the demo started"
  local started
  started=$(comm -23 <(running) <(printf '%s\n' "$ran"))
  if [[ -z $ran ]]; then
    quietly --profile simulator --profile ops --profile observability down || true
  elif [[ -n $started ]]; then
    # shellcheck disable=SC2086 # a name is a word
    quietly rm -sf $started || true
  fi
  rm -f "$log"
}

trap 'rm -f "$log"' EXIT
if [[ -n ${DEMO_SECONDS:-} ]]; then
  [[ $DEMO_SECONDS =~ ^[1-9][0-9]*$ ]] || fail "DEMO_SECONDS: it isn't a number of seconds → DEMO_SECONDS=60 make demo-docker"
  watch+=(--seconds "$DEMO_SECONDS")
fi
find_engine
ran=$(running)
trap finish EXIT
trap 'say interrupted; exit 0' INT TERM HUP

deploy/docker/trust.sh
say "building the images (the first time takes minutes)"
must "building the images" --profile simulator --profile ops build
start kafka postgres ingestion api front
must "looking for history" "${run[@]}" -T ops missing --last 2h
since=$(grep -oE '^20[0-9-]+T[0-9:.]+Z' "$log" || true)
if [[ -n $since ]]; then
  say "loading history from $since"
  must "loading history" "${run[@]}" -T simulator "${history[@]}" --from "$since"
fi
say "waiting until ingestion has stored everything"
must "storing the history" "${run[@]}" -T ops wait stored
# History is past for the aggregation that starts now, late data for one that ran before.
start aggregation
try prometheus alertmanager node-exporter grafana
say "waiting until the statistics are up to date"
must "making the statistics" "${run[@]}" -T ops wait statistics
start simulator
[[ -t 0 && -t 1 ]] || run+=(-T)
"${compose[@]}" "${run[@]}" "${watch[@]}"
