# shellcheck shell=bash
# The Debian packages that building and testing need; sourced by run, test, bench
# and deb.
#
# install_packages NAME... installs those that are missing, and touches the network only
# then. Without root it uses sudo, and without sudo it says what to type.

# build_packages: what `scripts/run` needs. test_packages: what `scripts/test` adds.
# deb_packages: what `scripts/deb` adds. bench_packages: what `scripts/bench` can do without.
# soak_packages: what `scripts/soak` adds. mcdc_packages: what `scripts/coverage --mcdc` adds.
# shellcheck disable=SC2034
build_packages=(
    gcc libc6-dev meson ninja-build pkg-config libfuse3-dev libxxhash-dev fuse3
)
# shellcheck disable=SC2034
test_packages=(
    libcmocka-dev clang libclang-rt-14-dev clang-format clang-tidy python3
    man-db mandoc zsh dpkg-dev
    busybox-static dash file jq librsvg2-bin ripgrep rsync valgrind vim xxd
)
# shellcheck disable=SC2034
deb_packages=(dpkg-dev)
# shellcheck disable=SC2034
soak_packages=(e2fsprogs xfsprogs)
# shellcheck disable=SC2034
mcdc_packages=(clang-19 libclang-rt-19-dev llvm-19)
# shellcheck disable=SC2034
bench_packages=(libsqlite3-dev liblmdb-dev valgrind)

install_packages()
{
    local missing=() package as_root=()
    command -v dpkg-query >/dev/null || return 0 # not Debian: meson will say what it lacks
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null; then
            echo "$0: missing packages; as root: apt-get install ${missing[*]}" >&2
            return 1
        fi
        as_root=(sudo)
    fi
    echo "installing ${missing[*]}" >&2
    if ! { "${as_root[@]}" apt-get -qq update &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
            install --no-install-recommends "${missing[@]}"; } >/dev/null; then
        echo "$0: could not install ${missing[*]}" >&2
        return 1
    fi
}
