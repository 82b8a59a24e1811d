# What our derivations need from outside, in one shape, whether it comes from nixpkgs or from the host's packages.
#
#   system       Nix' name of the machine that builds
#   goArch       Go's name of the processor that images are for, which is the one that they carry
#   lamina       the command, a package
#   laminaProgram    the command, a program
#   bash         a shell, a program
#   coreutils    a package
#   skopeo       a program
#   fakeroot     a program
#   cacert       a file with the certificates of the usual authorities
#   path         PATH of scripts that users write: what stdenv offers for work on files
#   files        packages whose files images get at well-known places: bash, coreutils, shadow
#   derive       attributes -> derivation whose builder is that shell (a `script`) or a program
#   scripted     the same for scripts of users: with stdenv where there is one
#   shellSetup   shell code: what `scripted` gives to scripts, for a process of its own
#   write        name -> text -> a file with that text
#   makeOverridable, optionalAttrs   as in nixpkgs' lib
#   sourceDateEpoch  the time that scripts find in SOURCE_DATE_EPOCH
{ pkgs }:
let
  form = if pkgs ? isHostPackageSet then import ./host.nix { inherit pkgs; } else import ./nixpkgs.nix { inherit pkgs; };
in
form // import ./derive.nix form // {
  laminaProgram = "${form.lamina}/bin/lamina";
  makeOverridable = import ./overridable.nix;
  optionalAttrs = import ./optional-attrs.nix;
  # 1980, as in stdenv. With 0, shadow would make the passwords of users that it adds expire.
  sourceDateEpoch = "315532800";
}
