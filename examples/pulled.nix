# Arguments of pullImage for the base of `onPulled`: an image that `make demo` put into a registry on this machine, or
# else an image of Docker Hub (with the digest and the hash of nixpkgs' own examples).
if builtins.pathExists ../.state/pulled.json
then builtins.fromJSON (builtins.readFile ../.state/pulled.json)
else {
  imageName = "nixos/nix";
  imageDigest = "sha256:85299d86263a3059cf19f419f9d286cc9f06d3c13146a8ebbb21b3437f598357";
  hash = "sha256-xxZ4UW6jRIVAzlVYA62awcopzcYNViDyh6q1yocF3KU=";
  finalImageName = "nix";
  finalImageTag = "2.2.1";
  arch = "amd64";
}
