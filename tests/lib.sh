# shellcheck shell=bash
# What tests/run and the benchmarks share: packages, the toolchain, a Docker daemon in a world of its own,
# the stand-in base image. Sourced by bash; the caller has set -euo pipefail.
#
# The daemon lives in its own network, mount and process namespaces (see tests/daemon). So it meets no other
# daemon, changes no interface, no firewall rule and no mount of the machine, and the kernel takes everything
# down with its first process, however the script ends.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
machine=$(uname -m)
state=$repository/target/containers # the cache: the daemon's images, the stand-in base
world=''                            # process id of the daemon's namespaces, once there are any
world_folder=''                     # its socket, log and run-time state
export DEBIAN_FRONTEND=noninteractive
export CARGO_TARGET_DIR=$repository/target # where Docker's builds find the binary, whatever the caller has set

# The newest Debian release that the stand-in has been tried with, and what a base image has beyond minbase.
readonly stand_in_suite=bookworm
readonly stand_in_packages=ca-certificates,passwd
readonly stand_in_image=devinit-test/stand-in

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "$(basename "$0"): $*"
    exit 1
}

# Root is needed for packages and namespaces; cargo goes on as whoever called.
become_root() {
    [ "$EUID" -ne 0 ] || return 0
    command -v sudo >/dev/null || fail "needs root, and there is no sudo: run it as root"
    exec sudo env "PATH=$PATH:/usr/sbin:/sbin" "HOME=$HOME" "$0" "$@"
}

# interruptible COMMAND… lets a signal to the script end a long command at once (bash makes a trap wait for a command
# in the foreground): it runs in a process group of its own, which end_job ends.
job=''
interruptible() {
    set -m
    # Without the lock (8), which a killed run must not leave behind.
    "$@" </dev/null 8>&- &
    job=$!
    set +m
    wait "$job"
    job=''
}

end_job() {
    [ -z "$job" ] || kill -TERM -- "-$job" 2>/dev/null || true
}

as_caller() {
    if [ -n "${SUDO_UID:-}" ]; then
        setpriv --reuid "$SUDO_UID" --regid "${SUDO_GID:?}" --init-groups -- "$@"
    else
        "$@"
    fi
}

# phase NAME COMMAND… runs a step under a heading and notes how long it took.
phases=()
phase() {
    local name=$1 started=$SECONDS
    shift
    say "==> $name"
    "$@"
    phases+=("$(printf '%5d s  %s' $((SECONDS - started)) "$name")")
}

print_phases() {
    [ ${#phases[@]} -eq 0 ] || printf '%s\n' "${phases[@]}" >&2
}

# install_missing PACKAGE… fetches package lists only if they do not know a package yet.
install_missing() {
    local package missing=()
    for package; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    local get=(timeout 900 apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    local install=("${get[@]}" install -y --no-install-recommends "${missing[@]}")
    "${install[@]}" >/dev/null || { "${get[@]}" update && "${install[@]}" >/dev/null; } || fail "apt-get could not install ${missing[*]}"
}

# Sets and exports CARGO_BUILD_TARGET: musl, or static glibc where rustup cannot have musl.
choose_target() {
    command -v cargo >/dev/null || fail "there is no cargo: install Rust, see https://rustup.rs"
    export CARGO_BUILD_TARGET=$machine-unknown-linux-musl
    rustc_knows "$CARGO_BUILD_TARGET" && return
    as_caller timeout 300 rustup target add "$CARGO_BUILD_TARGET" >&2 && return
    CARGO_BUILD_TARGET=$machine-unknown-linux-gnu
    export RUSTFLAGS="${RUSTFLAGS:-} -Ctarget-feature=+crt-static"
    say "no musl target to be had: building with static glibc"
}

rustc_knows() {
    [ -d "$(as_caller rustc --print target-libdir --target "$1" 2>/dev/null)" ]
}

# without_starting COMMAND… keeps Debian's packages from starting what they install.
without_starting() {
    # What their maintainer scripts ask before they start anything.
    local policy=/usr/sbin/policy-rc.d made=false code=0
    if [ ! -e "$policy" ]; then
        made=true
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 0755 "$policy"
    fi
    ("$@") || code=$? # in a subshell, as it may exit
    ! $made || rm -f "$policy"
    return "$code"
}

# Debian's package starts sshd and has it started at boot: here it is only a program for the container.
install_sshd_stopped() {
    [ ! -x /usr/sbin/sshd ] || return 0
    without_starting install_missing openssh-server || exit
    deb-systemd-helper disable ssh.service ssh.socket >/dev/null 2>&1 || true
    update-rc.d ssh disable >/dev/null 2>&1 || true
}

release_binary() {
    printf '%s' "$repository/target/$CARGO_BUILD_TARGET/release/devinit"
}

build_release() {
    (cd "$repository" && interruptible as_caller timeout --foreground 1800 cargo build --release --locked)
}

# wait_until SECONDS COMMAND… tries the command every 0.1 s.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

# One run at a time has the state folder; what a killed one left is ended by its recorded id. A command of the killed
# one may hold the lock for a moment longer.
claim_state() {
    mkdir -p "$state"
    exec 8>"$state/lock"
    flock --timeout 60 8 || fail "another run is using $state"
    end_recorded_world
    rm -rf --one-file-system "$state"/debootstrap.??????
}

end_recorded_world() {
    local pid folder
    [ -f "$state/world" ] || return 0
    read -r pid folder <"$state/world" || true
    # The folder's name is unique, so a process that has it on its command line is ours and not a later namesake.
    if [ -n "$folder" ] && tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$folder"; then
        world=$pid
    fi
    world_folder=$folder
    stop_daemon
}

# start_daemon [--keep]: starts the daemon; unless it is to be kept, it cannot outlive this script.
start_daemon() {
    local bound=(setpriv --pdeathsig KILL)
    [ "${1:-}" != --keep ] || bound=()
    world_folder=$(mktemp -d /tmp/devinit-test.XXXXXX)
    chmod 0755 "$world_folder"
    export DOCKER_HOST=unix://$world_folder/docker.sock
    unset DOCKER_CONTEXT DOCKER_CERT_PATH DOCKER_TLS_VERIFY
    # Descriptor 9 is the way back to the machine's network for the one process that needs it; the lock is not handed down.
    setsid "${bound[@]}" unshare --net --mount --pid --fork --kill-child --mount-proc \
        "$repository/tests/daemon" "$world_folder" "$state/docker" "${SUDO_GID:-0}" \
        9</proc/self/ns/net 8>&- </dev/null >"$world_folder/log" 2>&1 &
    world=$!
    printf '%s %s\n' "$world" "$world_folder" >"$state/world"
    wait_until 60 docker_answers || {
        tail -n 30 "$world_folder/log" >&2
        fail "the Docker daemon did not come up within 60 s"
    }
    remove_containers # of a run that was killed: the daemon remembers them
}

docker_answers() {
    kill -0 "$world" && docker info
}

# Always the client that belongs to the daemon, whatever else is first in PATH.
docker() { timeout "${docker_limit:-120}" /usr/bin/docker "$@"; }

# in_world COMMAND… runs it where the daemon's published ports are: on the 127.0.0.1 of its network namespace.
in_world() { nsenter --net="/proc/$world/ns/net" -- "$@"; }

remove_containers() {
    local ids
    ids=$(docker ps -aq)
    # shellcheck disable=SC2086 # ids are to be split
    [ -z "$ids" ] || docker rm -fv $ids >/dev/null
    docker volume prune -f >/dev/null
}

stop_daemon() {
    local first=''
    if [ -n "$world" ] && kill -0 "$world" 2>/dev/null; then
        # The first process inside passes TERM on to the daemon; its death is the end of everything in there.
        read -r first _ <"/proc/$world/task/$world/children" || true # there is no newline at its end
        kill -TERM "$first" 2>/dev/null || true
        wait_until 20 world_is_gone || kill -KILL "$world" 2>/dev/null || true
        wait_until 10 world_is_gone || say "process $world is still there"
    fi
    if [ -n "${world_folder:-}" ]; then
        find /sys/fs/cgroup -mindepth 1 -depth -type d -path "*/$(basename "$world_folder")*" -exec rmdir {} + 2>/dev/null || true
        rm -rf "$world_folder"
    fi
    rm -f "$state/world"
    world='' world_folder=''
}

world_is_gone() { ! kill -0 "$world" || grep -q '^State:.Z' "/proc/$world/status"; }

# The stand-in for the images on Docker Hub: Debian as debootstrap makes it. The tarball is kept, named by what
# is in it, with its checksum beside it.
make_stand_in() {
    local name tarball root
    name=$stand_in_suite-$(printf '%s %s' "$machine" "$stand_in_packages" | sha256sum | cut -c1-12)
    tarball=$state/$name.tar
    if ! (cd "$state" && sha256sum --status -c "$name.tar.sha256" 2>/dev/null); then
        rm -f "$tarball" "$tarball.sha256"
        root=$(mktemp -d "$state/debootstrap.XXXXXX")
        interruptible timeout 600 debootstrap --variant=minbase --include="$stand_in_packages" "$stand_in_suite" "$root" \
            ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$state/debootstrap.log" || {
            tail -n 20 "$state/debootstrap.log" >&2
            rm -rf "$root"
            fail "debootstrap could not make the stand-in base"
        }
        # What the machine trusts, the stand-in trusts: a network that intercepts TLS works, too.
        mkdir -p "$root/usr/local/share/ca-certificates"
        find /usr/local/share/ca-certificates -name '*.crt' -exec cp -L -t "$root/usr/local/share/ca-certificates" {} +
        chroot "$root" update-ca-certificates >/dev/null 2>&1
        rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
        tar -C "$root" --numeric-owner -cf "$tarball" .
        rm -rf "$root"
        (cd "$state" && sha256sum "$name.tar" >"$name.tar.sha256")
    fi
    # The image says what it was made of, so that it is imported once.
    if [ "$(docker image inspect -f '{{index .Config.Labels "stand-in"}}' "$stand_in_image" 2>/dev/null)" != "$name" ]; then
        docker import --change "LABEL stand-in=$name" --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
            --change 'CMD ["/bin/bash"]' "$tarball" "$stand_in_image" >/dev/null
    fi
}

# build_image TAG DOCKERFILE [ARGUMENT…] builds with the repository as context.
build_image() {
    local tag=$1 file=$2 log variable proxies=()
    shift 2
    for variable in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
        [ -z "${!variable:-}" ] || proxies+=(--build-arg "$variable")
    done
    log=$world_folder/build.log
    docker_limit=900 DOCKER_BUILDKIT=1 interruptible docker build --progress plain "${proxies[@]}" "$@" -t "$tag" -f "$repository/$file" "$repository" >"$log" 2>&1 || {
        tail -n 40 "$log" >&2
        fail "$file could not be built"
    }
}

# The image that holds the binary, as docker/Dockerfile.devinit makes it, from the binary that is built already.
build_devinit_image() {
    build_image devinit-test/devinit docker/Dockerfile.devinit --build-arg SOURCE=prebuilt \
        --build-arg "BINARY=target/$CARGO_BUILD_TARGET/release/devinit"
}
