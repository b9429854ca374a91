# Sourced by scripts that need programs of the system's distribution.

# Installs packages of the system's distribution, as Debian names them.
install_packages() {
    local as_root=()
    [[ $(id -u) -eq 0 ]] || as_root=(sudo)
    if ! command -v apt-get >/dev/null; then
        echo "install these with the system's package manager and run this again: $*" >&2
        return 1
    fi
    "${as_root[@]}" apt-get install -y -qq --no-install-recommends "$@" ||
        { "${as_root[@]}" apt-get update -qq && "${as_root[@]}" apt-get install -y -qq --no-install-recommends "$@"; }
}
