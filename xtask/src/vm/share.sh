# share ROOT "MOUNT POINTS" DAEMON...: binds the host's root folder read-only to ROOT and becomes
# the daemon.
root=$1
points=$2
shift 2
for point in / $points; do
    mount --bind "$point" "$root$point"
    mount -o remount,bind,ro "$root$point"
done
exec "$@"
