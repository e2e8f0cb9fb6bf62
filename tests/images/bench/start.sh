#!/bin/bash
# The start script of most such images.
/prepare.sh
/usr/sbin/sshd
python3 -m http.server 27015 &
sleep infinity
