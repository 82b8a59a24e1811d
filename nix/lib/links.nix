# A tree of symbolic links. `targets` is a set: the path of each link in the tree = the link's target.
{ toolbox }:
name: targets:
toolbox.derive {
  inherit name;
  preferLocalBuild = true;
  allowSubstitutes = false;
  targets = builtins.concatStringsSep "\n" (map (path: "${path} ${targets.${path}}") (builtins.attrNames targets));
  script = ''
    while read -r path target; do
      mkdir -p "$out/$(dirname "$path")"
      ln -s "$target" "$out/$path"
    done <<< "$targets"
  '';
}
