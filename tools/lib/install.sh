#!/usr/bin/env bash
# Installs the Debian packages that kith needs, by sets:
#
#   tools/lib/install.sh build|tests|checks|bench|fresh …
#
# Quiet and quick: if everything is there, one dpkg-query and no apt. What is missing is said before
# it is installed. Never removes a package. Exit 1 if something stays missing, with the line to run.
# Needs nothing beyond a minimal Debian (bash, dpkg, apt), because it runs first of all.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
log=$root/build/install.log

packages_of() {
  case $1 in
    build)
      # libboost1.81-dev: Debian's default, 1.74, has no boost::system::result.
      # librust-blake3-dev: it ships the official BLAKE3 C sources.
      echo g++ cmake ninja-build ccache pkg-config git ca-certificates python3 libboost1.81-dev \
        libsodium-dev libssl-dev librust-blake3-dev libsqlite3-dev libcli11-dev \
        nlohmann-json3-dev libspdlog-dev libfmt-dev libqrencode-dev libgtest-dev libgmock-dev \
        libbenchmark-dev ;;
    # For the small disks of tests/functional/root.
    tests) echo mount e2fsprogs ;;
    # Not openssh-server, which would open port 22: tools/bench unpacks sshd for itself, and libwrap0
    # is what that needs.
    bench) echo rsync python3-libtorrent openssh-client libwrap0 python3-matplotlib ;;
    checks) echo clang-16 clang-tidy-16 clang-format-16 libclang-rt-16-dev ;;
    fresh) echo mmdebstrap ;;
    *) echo "install.sh: no such set: $1" >&2; return 1 ;;
  esac
}

missing_of() {
  local have
  have=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
    sed -n 's/ installed$//p' | sort -u)
  printf '%s\n' "$@" | sort -u | grep -vxF -e "$have" || true
}

say() { printf '%s\n' "$*" >&2; }

# Runs a command in the log only; shows what it said if it fails.
logged() {
  local from
  from=$(wc -l <"$log")
  printf '+ %s\n' "$*" >>"$log"
  "$@" >>"$log" 2>&1 </dev/null && return 0
  tail -n "+$((from + 1))" "$log" >&2
  return 1
}

lists_are_fresh() {
  local lists=/var/lib/apt/lists
  ls "$lists"/*_Packages* >/dev/null 2>&1 || return 1
  [ -n "$(find "$lists" -maxdepth 0 -mtime -1)" ]
}

# Sets the array `as_root` to what must stand before a command, or fails.
find_root() {
  as_root=(env)
  [ "$(id -u)" = 0 ] && return 0
  command -v sudo >/dev/null || return 1
  as_root=(sudo)
  [ -t 0 ] || sudo -n true 2>/dev/null  # without a terminal nobody can type the password
}

main() {
  local sets=("$@") wanted=() missing apt set
  for set in "${sets[@]}"; do
    # shellcheck disable=SC2207  # package names hold no spaces
    wanted+=($(packages_of "$set")) || return 1
  done
  if ! command -v dpkg-query >/dev/null; then
    say "This is not Debian: nothing is installed. kith needs the equivalents of: ${wanted[*]}"
    return 0
  fi
  mapfile -t missing < <(missing_of "${wanted[@]}")
  [ "${#missing[@]}" = 0 ] && return 0

  apt=(DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q)
  local install=(install -y --no-install-recommends --no-remove "${missing[@]}")
  say "Missing packages: ${missing[*]}"
  if ! find_root; then
    say "Neither root nor sudo here. Run this line as root, then the same command again:"
    say "  apt-get update && apt-get ${install[*]}"
    return 1
  fi
  mkdir -p "$root/build" && : >>"$log" || return 1
  say "Installing them (log: build/install.log) …"
  lists_are_fresh || logged "${as_root[@]}" "${apt[@]}" update || return 1

  # --no-remove would only say that something needs to be removed, not what.
  local removed
  removed=$(apt-get -s install -y --no-install-recommends "${missing[@]}" 2>/dev/null |
    sed -n 's/^Remv \([^ ]*\).*/\1/p')
  if [ -n "$removed" ]; then
    say "Stopped, nothing changed: to install these, apt would remove ${removed//$'\n'/ }"
    say "(libboost1.81-dev and libboost1.74-dev exclude each other.) If you can do without, run:"
    say "  apt-get install -y --no-install-recommends ${missing[*]}"
    return 1
  fi
  if ! logged "${as_root[@]}" "${apt[@]}" "${install[@]}"; then
    say "That failed; trying once more with new package lists …"
    logged "${as_root[@]}" "${apt[@]}" update &&
      logged "${as_root[@]}" "${apt[@]}" "${install[@]}" || return 1
  fi
  mapfile -t missing < <(missing_of "${wanted[@]}")
  [ "${#missing[@]}" = 0 ] || { say "Still missing: ${missing[*]}"; return 1; }
}

main "$@"
