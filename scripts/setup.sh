#!/bin/sh
# Installs what the checkout needs: npm packages always; Debian packages when this is Debian and we are root.
#   setup.sh          what a cluster needs
#   setup.sh --test   also what the tests need
set -eu
cd "$(dirname "$0")/.."
say() { echo "setup: $*" >&2; }

if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say "installing npm packages"
  # A lock file made behind a registry without other platforms' optional packages is refused by "npm ci"; it pins versions all the same.
  npm ci --no-audit --no-fund --loglevel=silent || npm install --no-save --no-audit --no-fund --loglevel=error
  touch node_modules/.package-lock.json
fi
if [ ! -e src/api/catalog/docs.json ] && [ -e scripts/docs.ts ]; then
  sh bin/node scripts/docs.ts || say "no field documentation: kubectl explain will show fields without text"
fi

if [ "${1:-}" = --start ] && { [ ! -e dist/tsukube.js ] || [ -n "$(find src -name '*.ts' -newer dist/tsukube.js -print -quit)" ]; }; then
  say "building"
  sh bin/node scripts/build.ts
fi

missing() { # COMMAND-OR-FILE PACKAGE...: prints the packages when the command or file is absent
  probe=$1
  shift
  case "$probe" in
    /*) for f in $probe; do [ -e "$f" ] && return 0; done ;;
    *) command -v "$probe" >/dev/null 2>&1 && return 0 ;;
  esac
  echo "$@"
}
PATH=$PATH:/usr/sbin:/sbin
wanted="$(missing containerd containerd) $(missing runc runc) $(missing '/usr/lib/cni/bridge /opt/cni/bin/bridge' containernetworking-plugins)
 $(missing nft nftables) $(missing ip iproute2) $(missing conntrack conntrack) $(missing mount mount)"
if [ "${1:-}" = --test ]; then
  wanted="$wanted $(missing etcd etcd-server) $(missing etcdctl etcd-client) $(missing docker-registry docker-registry)
 $(missing kubectl kubernetes-client) $(missing chromium chromium) $(missing busybox busybox) $(missing redis-server redis-server)
 $(missing nginx nginx) $(missing curl curl) $(missing git git)"
fi
# shellcheck disable=SC2086 # a list of package names
set -- $wanted
[ $# -eq 0 ] && exit 0
if [ "$(uname -s)" != Linux ] || ! command -v apt-get >/dev/null 2>&1; then
  say "this is not Debian; install by hand for real containers: $*"
  exit 0
fi
if [ "$(id -u)" != 0 ]; then
  say "not root, so these Debian packages are not installed (nodes will be simulated): $*"
  exit 0
fi
say "installing Debian packages: $*"
export DEBIAN_FRONTEND=noninteractive
# Services of these packages must not start by themselves: everything here runs under our own configuration.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' > $policy
  chmod +x $policy
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends "$@" >/dev/null
