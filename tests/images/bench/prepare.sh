#!/bin/sh
# What each of devinit's peers needs done first, at its quickest: one key, one host key.
mkdir -p /run/sshd /root/.ssh
chmod 0700 /root/.ssh
echo "$PUBLIC_KEY" >/root/.ssh/authorized_keys
chmod 0600 /root/.ssh/authorized_keys
[ -f /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
