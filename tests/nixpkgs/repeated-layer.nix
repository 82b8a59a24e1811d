# An image on a base that has a layer twice, the second time as a link to the first: what Skopeo writes for images in
# which two layers are equal. A script as root has to see both.
let
  lamina = import ../.. { };
  inherit (lamina) pkgs dockerTools;

  once = dockerTools.buildImage {
    name = "once";
    tag = "latest";
    format = "classic";
    compressor = "none";
    copyToRoot = pkgs.busybox;
    config.Env = [ "PATH=/bin" ];
  };

  twice = pkgs.runCommand "twice.tar" { nativeBuildInputs = [ pkgs.jq ]; } ''
    mkdir image
    cd image
    tar -xf ${once}
    chmod -R u+w .
    layer=$(jq -r '.[0].Layers[-1]' manifest.json)
    mkdir again
    ln -s "../$layer" again/layer.tar
    jq -c '.rootfs.diff_ids += .rootfs.diff_ids[-1:] | .history += .history[-1:]' \
      "$(jq -r '.[0].Config' manifest.json)" > config
    rm "$(jq -r '.[0].Config' manifest.json)"
    name=$(sha256sum config | cut -d ' ' -f 1).json
    mv config "$name"
    jq -c --arg config "$name" '.[0].Config = $config | .[0].Layers += ["again/layer.tar"]' manifest.json > new
    mv new manifest.json
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@1 -cf "$out" *
  '';
in
dockerTools.buildImage {
  name = "repeated-layer";
  tag = "latest";
  fromImage = twice;
  runAsRoot = "cat /bin/busybox > /dev/null && echo found > /by-root";
}
