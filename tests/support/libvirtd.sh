#!/bin/bash
# libvirtd.sh DIR: runs a libvirtd with namespaces of its own, serving DIR/sock/libvirt-sock. It sees
# nothing of the host's libvirt and leaves nothing: when this process ends, all that it started ends.
# A daemon that gets SIGKILL is started again.
# DIR/libvirtd.conf, if there, has more of the daemon's configuration; DIR/before.sh, if there, is run
# inside before the daemon starts, with dir set; DIR/sasl2, if there, is its /etc/sasl2.
set -euo pipefail
dir=$1
mkdir -p "$dir"/{sock,etc/qemu/networks/autostart,lib,cache,log}
# of a setting that stands there twice the first counts
touch "$dir/libvirtd.conf"
cat "$dir/libvirtd.conf" - >"$dir/etc/libvirtd.conf" <<CONF

unix_sock_dir = "$dir/sock"
unix_sock_rw_perms = "0700"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "3:file:$dir/log/libvirtd.log"
CONF
listen=
if grep -qE '^listen_(tcp|tls)' "$dir/libvirtd.conf"; then listen=--listen; fi
# Without virtlogd, a security driver and mount namespaces: none of them runs in here.
cat >"$dir/etc/qemu.conf" <<CONF
stdio_handler = "file"
security_driver = "none"
namespaces = []
user = "root"
group = "root"
CONF
# The cgroups of its guests, named by a process that ends with it; those of one that was killed go now.
group=virt-test-$$
for left in /sys/fs/cgroup/virt-test-* /sys/fs/cgroup/*/virt-test-*; do
  [ ! -d "$left" ] || [ -e "/proc/${left##*-}" ] ||
    find "$left" -depth -type d -exec rmdir {} + 2>/dev/null || true
done
export dir listen group
# The shell is the first process of its namespace, and buries guests and dnsmasq at once. libvirtd
# waits for that whenever it ends one; the first process of a container may take seconds.
exec unshare --mount --net --pid --fork --kill-child=KILL --mount-proc bash -euc '
  mount --make-rprivate /
  mount --bind "$dir/etc" /etc/libvirt
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/libvirt /run/lock
  mount --bind "$dir/lib" /var/lib/libvirt
  mount --bind "$dir/cache" /var/cache/libvirt
  mount --bind "$dir/log" /var/log/libvirt
  [ ! -d "$dir/sasl2" ] || mount --bind "$dir/sasl2" /etc/sasl2
  # A group is named by the number and the name of its guest, and all that is in it is killed when that
  # guest ends: daemons must not see the groups of others.
  mounts=$(</proc/self/mounts)
  while read -r _ place kind _; do
    [ "$kind" = cgroup ] || [ "$kind" = cgroup2 ] || continue
    own=$place/$group
    mkdir "$own" 2>/dev/null || continue
    if [ "$kind" = cgroup2 ]; then
      # one without the controllers that are here would do less
      for controller in cpu cpuset io memory; do
        grep -qw "$controller" "$place/cgroup.controllers" || continue
        grep -qw "$controller" "$own/cgroup.controllers" || { rmdir "$own"; continue 2; }
      done
    elif [ -e "$own/cpuset.cpus" ]; then
      for file in cpuset.cpus cpuset.mems; do cat "$place/$file" >"$own/$file"; done
    fi
    mount --bind "$own" "$place"
  done <<<"$mounts"
  ip link set lo up
  # where programs that are told nothing look for a daemon
  ln -s "$dir/sock/libvirt-sock" "$dir/sock/libvirt-sock-ro" /run/libvirt/
  if [ -e "$dir/before.sh" ]; then . "$dir/before.sh"; fi
  # one that is killed comes back, and finds its guests running
  until libvirtd $listen -f /etc/libvirt/libvirtd.conf -p "$dir/pid"; do
    [ $? = 137 ] || exit
  done'
