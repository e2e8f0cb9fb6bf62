#!/bin/sh
# Adds to a base image what devinit looks after and does not bring along: sshd, and what ssh clients expect to
# find beside it. Runs at build, as root, in one layer.
set -eu

if ! command -v apt-get >/dev/null; then
    echo "setup.sh: this base image has no apt-get: install OpenSSH's server, sudo, rsync and xauth in its own way" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
apt-get -qq -o Acquire::Retries=3 update
apt-get -qq -o Acquire::Retries=3 install -y --no-install-recommends \
    ca-certificates openssh-server openssh-sftp-server rsync sudo xauth >/dev/null

# The package makes host keys as it is installed. In an image they would be everyone's: devinit makes
# a container's own at its first boot.
rm -f /etc/ssh/ssh_host_*
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
mkdir -p /app /etc/devinit
