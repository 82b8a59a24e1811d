# shellcheck shell=bash disable=SC1090,SC1091,SC2048,SC2154
# What runCommand's script finds: variables, PATH, and the directory it starts in.

# With __structuredAttrs the attributes are in a file, whose name Nix before 2.9 gives as seen from outside.
if [ -e "$NIX_BUILD_TOP/.attrs.sh" ]; then
  source "$NIX_BUILD_TOP/.attrs.sh"
  for output in "${!outputs[@]}"; do
    export "$output=${outputs[$output]}"
  done
fi

PATH=$initialPath
for input in ${nativeBuildInputs[*]:-} ${buildInputs[*]:-}; do
  PATH=$input/bin:$PATH
done
SHELL=$(type -P bash)
export PATH SHELL HOME=/homeless-shelter SOURCE_DATE_EPOCH=315532800
umask 022

if [ -n "${buildCommandPath:-}" ]; then
  source "$buildCommandPath"
else
  eval "$buildCommand"
fi
