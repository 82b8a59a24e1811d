#!/bin/bash
# The main job once: a base out of a registry, pulled by Skopeo in the sandbox; a program from the store on top; one
# archive, inspected, verified, and read by another tool.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$lamina_root"

run() {
  echo
  echo "\$ $*"
  "$@"
}

echo "demo: starting a registry on the loopback, with a base image in it"
run bash dev/registry.sh nix-build -A examples.onPulled --out-link result-demo
run lamina inspect result-demo
run lamina verify result-demo
run tar --list --verbose --file result-demo
run "$(nix-build --no-out-link -A pkgs.skopeo)/bin/skopeo" inspect --config docker-archive:result-demo
if docker info >/dev/null 2>&1; then
  run docker load --input result-demo
  run docker run --rm --network none on-pulled
else
  echo
  echo "demo: no Docker daemon is running; with one: docker load --input result-demo"
fi
