# The toolbox from nixpkgs. In a package set for another machine (pkgsCross), programs that run in derivations are for the
# build machine, and packages that go into images are for the other machine.
#
# On macOS, images are built on a Linux builder: from nixpkgs' `pkgsLinux`.
{ pkgs, replaced, isRunner }:
let
  isDarwin = platform: builtins.match ".*-darwin" platform.system != null;
  onMac = isDarwin pkgs.stdenv.hostPlatform && !isRunner;
  linux = if onMac then pkgs.pkgsLinux else pkgs;
  target = linux // replaced;
  build = linux.buildPackages // replaced;
  python = build.python3Packages;
  source = import ../lib/source.nix;

  command = further: python.buildPythonApplication {
    pname = "lamina";
    inherit (source) version;
    src = source.path;
    pyproject = true;
    nativeBuildInputs = [ python.hatchling ];
    propagatedBuildInputs = [ python.attrs python.python-magic python.zstandard ] ++ further;
    doCheck = false;
    # From the source: the program in $out cannot be run before it is wrapped.
    postInstall = ''
      lamina() { PYTHONPATH=$PWD/builder:$PYTHONPATH ${build.python3.interpreter} -m lamina "$@"; }
      mkdir -p $out/share/bash-completion/completions $out/share/zsh/site-functions $out/share/fish/vendor_completions.d
      lamina completion bash > $out/share/bash-completion/completions/lamina
      lamina completion zsh > $out/share/zsh/site-functions/_lamina
      lamina completion fish > $out/share/fish/vendor_completions.d/lamina.fish
      lamina man --all $out/share/man/man1
    '';
    meta = {
      description = "Layered container images from Nix store paths";
      license = pkgs.lib.licenses.mit;
      mainProgram = "lamina";
    };
  };
in
rec {
  inherit (linux.stdenv.buildPlatform) system;
  goArch = (replaced.go or linux.go).GOARCH or (import ./go-arch.nix linux.stdenv.hostPlatform.system);

  # The package set whose packages go into images.
  packages = linux;

  # The package set of the machine on which programs run, if another machine builds them.
  runner = if onMac then pkgs.buildPackages else null;

  lamina = command [ ];
  laminaWithServer = command [ python.aiohttp ];

  inherit (linux) runCommand;
  inherit (build) coreutils;
  bash = "${build.bash}/bin/bash";
  skopeo = "${build.skopeo}/bin/skopeo";
  fakeroot = "${build.fakeroot}/bin/fakeroot";
  files = {
    inherit (target) coreutils shadow;
    bash = replaced.bashInteractive or replaced.bash or target.bashInteractive or target.bash;
  };
  cacert = "${target.cacert}/etc/ssl/certs/ca-bundle.crt";

  path = pkgs.lib.makeBinPath (with build; [
    coreutils findutils diffutils gnused gnugrep gawk gnutar gzip bzip2 xz build.bash file
  ]);
}
