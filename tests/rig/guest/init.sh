#!/bin/busybox sh
# The guest's first process: loads the driver, waits for its device, runs the commands of /commands, and switches off.
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /tmp /dev/shm
mount -t tmpfs tmp /tmp
export TMPDIR=/tmp HOME=/tmp LD_LIBRARY_PATH=/lib64:/lib
insmod /tenstorrent.ko
echo "GUEST: module: $?"
tries=100
while [ ! -e /dev/tenstorrent/0 ] && [ $tries -gt 0 ]; do sleep 0.1; tries=$((tries - 1)); done
echo "GUEST: kernel $(uname -r), driver $(cat /sys/module/tenstorrent/version)"
while read -r name command; do
    sh -c "$command" </dev/null
    echo "GUEST: $name: $?"
done </commands
dmesg | grep -i tenstorrent | tail -n 20
rmmod tenstorrent
echo "GUEST: end: $?"
poweroff -f
