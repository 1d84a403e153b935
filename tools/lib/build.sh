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

# build_preset PRESET [TARGET…]: configures and builds in build/PRESET. One progress line on a
# terminal; otherwise silent, and on failure everything the compiler said.
build_preset() {
  local preset=$1 dir=$root/build/$1 log
  shift
  log=$dir/build.log
  mkdir -p "$dir"
  if ! (cd "$root" && cmake --preset "$preset") >"$log" 2>&1; then
    cat "$log" >&2
    return 1
  fi
  if [ -t 1 ]; then
    NINJA_STATUS="building $preset [%f/%t] " ninja -C "$dir" -j "$(build_jobs)" --quiet "$@"
  elif ! ninja -C "$dir" -j "$(build_jobs)" --quiet "$@" >"$log" 2>&1; then
    cat "$log" >&2
    return 1
  fi
}
