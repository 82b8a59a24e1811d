# The toolbox from the host's packages (nix/host).
{ pkgs, replaced }:
let
  build = pkgs // replaced;
  source = import ../lib/source.nix;
  required = modules: [ modules.attrs modules.python-magic modules.zstandard ];

  command = python: pkgs.runCommand "lamina-${source.version}" { meta.mainProgram = "lamina"; } ''
    mkdir -p $out/bin $out/lib
    cp -r ${source.path}/builder/lamina $out/lib/lamina
    chmod -R u+w $out/lib
    # Without compiled modules every start would compile them again, into a store that cannot keep them.
    ${python}/bin/python3 -m compileall -q --invalidation-mode unchecked-hash -s $out/lib -p lamina $out/lib/lamina
    cat > $out/bin/lamina <<EOF
    #!${python}/bin/python3 -sP
    import sys
    sys.path.insert(0, "$out/lib")
    from lamina.__main__ import main
    sys.exit(main())
    EOF
    chmod +x $out/bin/lamina
    mkdir -p $out/share/bash-completion/completions $out/share/zsh/site-functions $out/share/fish/vendor_completions.d
    $out/bin/lamina completion bash > $out/share/bash-completion/completions/lamina
    $out/bin/lamina completion zsh > $out/share/zsh/site-functions/_lamina
    $out/bin/lamina completion fish > $out/share/fish/vendor_completions.d/lamina.fish
    $out/bin/lamina man --all $out/share/man/man1
  '';
in
rec {
  inherit (pkgs) system;
  packages = pkgs;
  goArch = import ./go-arch.nix system;

  lamina = command (pkgs.python3.withPackages required);
  laminaWithServer = command (pkgs.python3.withPackages (modules: required modules ++ [ modules.aiohttp ]));

  inherit (build) coreutils;
  bash = "${build.bash}/bin/bash";
  skopeo = "${build.skopeo}/bin/skopeo";
  fakeroot = "${build.fakeroot}/bin/fakeroot";
  files = { inherit (build) coreutils shadow; bash = replaced.bashInteractive or build.bash; };
  cacert = "${build.cacert}/etc/ssl/certs/ca-bundle.crt";

  path = pkgs.lib.makeBinPath (with build; [
    coreutils findutils diffutils gnused gnugrep gawk gnutar gzip bzip2 xz build.bash file
  ]);
}
