#!/bin/sh
# Installs what Podwright's tests and demo need from Debian's (or Ubuntu's) packages. Run as root: `make setup`.
# Instant and without network when everything is there already. It starts and enables no service. Arguments are further
# packages in the same form.
set -eu

# package:file. A package counts as present when the file is there, so that a hand-made crun, or Docker's
# containerd.io (which conflicts with Debian's containerd), is left alone.
wanted="
crun:/usr/bin/crun
runc:/usr/sbin/runc
conmon:/usr/bin/conmon
containernetworking-plugins:/usr/lib/cni/bridge
docker-registry:/usr/bin/docker-registry
skopeo:/usr/bin/skopeo
busybox-static:/bin/busybox
iproute2:/sbin/ip
iptables:/usr/sbin/iptables
nftables:/usr/sbin/nft
procps:/usr/bin/ps
golang-github-containers-common:/usr/share/containers/seccomp.json
containerd:/usr/bin/containerd
docker.io:/usr/sbin/dockerd
runsc:/usr/bin/runsc
bubblewrap:/usr/bin/bwrap
kubernetes-client:/usr/bin/kubectl
$*
"

present() { # package file
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ] && return 0
    case $2 in
        /bin/busybox) return 1 ;; # busybox (dynamic) and busybox-static share the path; only the package tells
        */bin/* | */sbin/*) command -v "$(basename "$2")" >/dev/null 2>&1 ;;
        *) [ -e "$2" ] ;;
    esac
}

missing=""
for line in $wanted; do
    present "${line%%:*}" "${line#*:}" || missing="$missing ${line%%:*}"
done
"${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3 python3-venv"

install_missing() {
    if [ "$(id -u)" != 0 ]; then
        echo "missing packages:$missing; run 'make setup' as root, or: apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
    # invoke-rc.d and deb-systemd-invoke ask this file before they start a service (policy-rc.d interface).
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod 755 /usr/sbin/policy-rc.d
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    # shellcheck disable=SC2086 # the list is meant to be split
    apt-get install -q -y --no-install-recommends $missing </dev/null
    for package in $missing; do
        case $package in
            containerd | docker-registry) units=$package.service ;;
            docker.io) units="docker.service docker.socket" ;;
            *) continue ;;
        esac
        # shellcheck disable=SC2086 # units too
        if command -v systemctl >/dev/null; then systemctl disable -q $units || true; fi
    done
}
[ -z "$missing" ] || install_missing

# crun 1.8 refuses a hybrid host (v1 hierarchies beside cgroup2 at .../unified) whose unified half still holds a
# controller. hugetlb is the one that is left there in practice: a v1 mount claims it.
unified=/sys/fs/cgroup/unified
if [ "$(id -u)" = 0 ] && [ -e $unified/cgroup.controllers ] && grep -qw hugetlb $unified/cgroup.controllers; then
    mkdir -p /sys/fs/cgroup/hugetlb && mount -t cgroup -o hugetlb cgroup /sys/fs/cgroup/hugetlb ||
        echo "setup: could not mount the hugetlb cgroup; crun 1.8 will refuse to run here, runc works" >&2
fi
