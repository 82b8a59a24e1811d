# Every example, by name. Each is one file. The tests load and run each of them in every consumer.
{ pkgs
, lamina
, pulled  # arguments of pullImage for the base of `onPulled`
}:
let
  example = file: import file { inherit pkgs lamina examples pulled; };

  examples = {
    hello = example ./hello.nix;
    busybox = example ./busybox.nix;
    redis = example ./redis.nix;
    nginx = example ./nginx.nix;
    web = example ./web.nix;
    onPulled = example ./on-pulled.nix;
    onImage = example ./on-image.nix;
    onImageOnImage = example ./on-image-on-image.nix;
    compressedBase = example ./compressed-base.nix;
    upperCase = example ./upper-case.nix;
    registryName = example ./registry-name.nix;
    noTag = example ./no-tag.nix;
    nonRoot = example ./non-root.nix;
    classic = example ./classic.nix;
    scripted = example ./scripted.nix;
    runAsRoot = example ./run-as-root.nix;
    layered = example ./layered.nix;
    ownLayers = example ./own-layers.nix;
    streamed = example ./streamed.nix;
    oci = example ./oci.nix;
    platforms = example ./platforms.nix;
  };
in
examples
