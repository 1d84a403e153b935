# shellcheck shell=bash
# Sourced by the scripts in tools/ and by .ci/run. Expects `root`, the top of the checkout.
: "${root:?}"

say() { printf '%s\n' "$*" >&2; }

# As many compilers as there are cores, and no more than the free memory carries: a file that
# includes Beast takes up to 1.5 GB.
build_jobs() {
  local cores free_kib by_memory
  cores=$(nproc)
  free_kib=$(sed -n 's/^MemAvailable: *\([0-9]*\).*/\1/p' /proc/meminfo)
  by_memory=$((${free_kib:-1572864} / 1572864))
  [ "$by_memory" -lt 1 ] && by_memory=1
  echo $((by_memory < cores ? by_memory : cores))
}

# Keeps ninja's output in a log and, on a terminal, shows how far it is, in one line.
build_progress() {
  local to_terminal=0
  [ -t 1 ] && to_terminal=1
  awk -v log_file="$1" -v name="$2" -v show="$to_terminal" '
    { print >log_file }
    show && /^\[/ { printf "\r\033[Kbuilding %s %s", name, $1; fflush() }
    END { if (show) printf "\r\033[K" }'
}

# build_preset PRESET [TARGET…]: configures and builds in build/PRESET. Silent but for the progress
# line; on failure everything that the compiler said is shown.
build_preset() {
  local preset=$1 dir=$root/build/$1 log
  shift
  log=$dir/build.log
  mkdir -p "$dir"
  if ! (cd "$root" && cmake --preset "$preset") >"$log" 2>&1; then
    cat "$log" >&2
    return 1
  fi
  if ! (set -o pipefail
    ninja -C "$dir" -j "$(build_jobs)" "$@" 2>&1 | build_progress "$log" "$preset"); then
    grep -v '^\[[0-9]*/[0-9]*\]' "$log" >&2
    return 1
  fi
}
