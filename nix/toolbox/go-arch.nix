# Go's name for the processor of a Nix system.
system:
let
  processor = builtins.head (builtins.split "-" system);
  names = { x86_64 = "amd64"; aarch64 = "arm64"; i686 = "386"; armv7l = "arm"; armv6l = "arm"; powerpc64le = "ppc64le"; };
in
names.${processor} or processor
