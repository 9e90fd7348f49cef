# What the scripts share. Sourced: sets the strict mode, `root` (the clone) and `cache` (shared by all clones of this machine).
# shellcheck shell=bash disable=SC2034
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/genesys-kafka
program=$(basename "$0")

# shellcheck source=scripts/versions
source "$root/scripts/versions"

say() {
  printf '%s: %s\n' "$program" "$*" >&2
}

fail() {
  say "$*"
  exit 1
}
