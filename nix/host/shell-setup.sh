# shellcheck shell=bash disable=SC2048,SC2154
# What mkShell's `$stdenv/setup` does: PATH by the inputs, and hooks.

PATH=$initialPath
for input in ${buildInputs:-} ${nativeBuildInputs:-}; do
  PATH=$input/bin:$PATH
done
unset input
export PATH

runHook() {
  eval "${!1:-}"
}
