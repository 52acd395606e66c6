#!/bin/busybox sh
# The guest's first process: makes a copy-on-write view of the host's root folder and runs the job
# in it.
/bin/busybox mkdir -p /proc /sys /dev /host /lower /layer
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
ln -s /proc/self/fd /dev/fd
for module in $(cat /modules/order); do
    insmod "$module" || echo "cannot load $module"
done
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo +cpu >/sys/fs/cgroup/cgroup.subtree_control
ifconfig lo 127.0.0.1 up
mount -t virtiofs -o ro host /lower
mount -t tmpfs layer /layer
mkdir /layer/upper /layer/work
mount -t overlay -o lowerdir=/lower,upperdir=/layer/upper,workdir=/layer/work overlay /host
for folder in proc sys dev; do
    mount --rbind /$folder /host/$folder
done
for word in $(cat /proc/cmdline); do
    case $word in job=*) job=${word#job=} ;; esac
done
chroot /host /bin/sh "$job" </dev/null
dmesg
poweroff -f
