# What our derivations need from outside, in one shape, whether it comes from nixpkgs or from the host's packages.
#
#   system       Nix' name of the machine that builds
#   goArch       Go's name of the processor that images are for, which is the one that they carry
#   lamina       the command, a package
#   laminaProgram    the command, a program
#   laminaWithServer     the same package with what `serve` and `push` need, too
#   bash         a shell, a program
#   coreutils    a package
#   skopeo       a program
#   fakeroot     a program
#   cacert       a file with the certificates of the usual authorities
#   path         PATH of scripts that users write: what stdenv offers for work on files
#   packages     the package set for images: on macOS, the one for Linux
#   files        packages whose files images get at well-known places: bash, coreutils, shadow
#   derive       attributes -> derivation whose builder is that shell (a `script`) or a program
#   scripted     the same for scripts of users: with stdenv where there is one
#   shellSetup   shell code: what `scripted` gives to scripts, for a process of its own
#   onRunner     the toolbox for programs that users start: of another machine, if images are built for macOS users
#   supervises   whether Lamina knows the processor's system calls; elsewhere scripts that seem to be root need fakeroot
#   write        name -> text -> a file with that text
#   makeOverridable, optionalAttrs   as in nixpkgs' lib
#   sourceDateEpoch  the time that scripts find in SOURCE_DATE_EPOCH
{ pkgs
, replaced ? { }    # packages to take in the place of those in `pkgs`
, runner ? null     # packages of the machine that programs run on, if it is not the one that builds
, isRunner ? false  # this is for that machine: what is built runs there too
}:
let
  isHost = pkgs ? isHostPackageSet;
  form = if isHost then import ./host.nix { inherit pkgs replaced; } else import ./nixpkgs.nix { inherit pkgs replaced isRunner; };
  # The packages of the machine that programs run on, if it is not the one that builds.
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
