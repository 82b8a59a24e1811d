# The tools that Lamina's derivations need, in one form, from nixpkgs or from the host's packages.
#
#   system       Nix' name of the machine that builds
#   goArch       the images' architecture, in Go's terms
#   lamina       the command, a package
#   laminaProgram    the command, a program
#   laminaWithServer     the same package with the dependencies of `serve` and `push`
#   bash         a shell, a program
#   coreutils    a package
#   skopeo       a program
#   fakeroot     a program
#   cacert       a file with the certificates of the usual authorities
#   path         PATH of users' scripts: stdenv's programs for files
#   packages     the package set for images: on macOS, the one for Linux
#   files        packages whose files are put into images: bash, coreutils, shadow
#   derive       attributes -> derivation whose builder is that shell (a `script`) or a program
#   scripted     the same for users' scripts: with stdenv if there is one
#   shellSetup   shell code that sets up another process as `scripted` sets up a script
#   onRunner     the toolbox for programs that users start; another one if they run on macOS
#   supervises   whether Lamina can emulate the processor's system calls; if not, fakeRootCommands run under fakeroot
#   write        name -> text -> a file with that text
#   makeOverridable, optionalAttrs   as in nixpkgs' lib
#   sourceDateEpoch  the value of SOURCE_DATE_EPOCH in scripts
{ pkgs
, replaced ? { }    # packages that replace those in `pkgs`
, runner ? null     # package set of the machine on which programs run, if another machine builds them
, isRunner ? false  # this toolbox is the one for that machine
}:
let
  isHost = pkgs ? isHostPackageSet;
  form = if isHost then import ./host.nix { inherit pkgs replaced; } else import ./nixpkgs.nix { inherit pkgs replaced isRunner; };
  # The package set of the machine on which programs run, if another machine builds them.
  other = if runner != null then runner else form.runner or null;

  self = form // import ./derive.nix form // {
    laminaProgram = "${form.lamina}/bin/lamina";
    onRunner = if other == null then self else import ./. { pkgs = other; inherit replaced; isRunner = true; };
    makeOverridable = import ./overridable.nix;
    optionalAttrs = import ./optional-attrs.nix;
    supervises = builtins.elem form.system [ "x86_64-linux" "aarch64-linux" ];
    # 1980, as in stdenv. With 0, shadow would make the passwords of users that it adds expire.
    sourceDateEpoch = "315532800";
  };
in
self
