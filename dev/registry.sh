#!/bin/bash
# dev/registry.sh COMMAND...: run a command while a registry on the loopback holds a base image.
#
# The base is examples.busybox, pushed as any image is: with compressed layers. What pullImage needs to get it is
# written to .state/pulled.json, which examples/pulled.nix reads.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$lamina_root"

# Debian calls the registry docker-registry, nixpkgs registry.
program() { compgen -G "$(nix-build --no-out-link -A "pkgs.$1")/bin/*$2"; } # ATTRIBUTE NAME

port=5917
name=127.0.0.1:$port/base
state=.state/registry
mkdir -p "$state"

cat >"$state/config.yml" <<END
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $PWD/$state/data}}
http: {addr: "127.0.0.1:$port"}
END
"$(program docker-distribution registry)" serve "$state/config.yml" >"$state/log" 2>&1 &
registry=$!
trap 'kill "$registry" 2>/dev/null || true' EXIT

answers() { (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
for _ in {1..100}; do
  if answers; then break; fi
  kill -0 "$registry" || { echo "registry: see $state/log" >&2; exit 1; }
  sleep 0.1
done

# As root Skopeo would keep a cache of blobs for the whole machine.
export _CONTAINERS_ROOTLESS_UID=1000 XDG_DATA_HOME=$PWD/$state
skopeo=$(program skopeo skopeo)
skopeo_() { "$skopeo" --insecure-policy --tmpdir "$state" "$@"; }
base=$(nix-build --no-out-link -A examples.busybox)
skopeo_ copy --quiet --dest-tls-verify=false "docker-archive:$base" "docker://$name:latest"
digest=$(skopeo_ inspect --tls-verify=false --format '{{.Digest}}' "docker://$name:latest")
rm -f "$state/pulled.tar"
skopeo_ copy --quiet --src-tls-verify=false "docker://$name@$digest" "docker-archive:$state/pulled.tar:base:latest"
hash=$(nix-hash --flat --type sha256 --base32 "$state/pulled.tar")

cat >.state/pulled.json.new <<END
{"imageName": "$name", "imageDigest": "$digest", "sha256": "$hash", "finalImageName": "base", "tlsVerify": false}
END
mv .state/pulled.json.new .state/pulled.json
"$@"
