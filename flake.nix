{
  description = "Lamina: container images from Nix store paths";

  inputs.nixpkgs.url = "nixpkgs";

  outputs = { self, nixpkgs }:
    let
      # On macOS, images are built on a Linux builder, and the programs run on the Mac: nix/toolbox/nixpkgs.nix.
      systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
      forEach = make: builtins.listToAttrs (map (system: { name = system; value = make system; }) systems);
      withPackages = pkgs: import ./. { inherit pkgs; };
      library = system: withPackages nixpkgs.legacyPackages.${system};
    in
    {
      # `lib.withPackages pkgs`: everything that default.nix has, made of any package set.
      lib = { inherit withPackages; };

      # Everything that default.nix has, so that `nix build .#examples.redis` and `nix run .#examples.hello.load` work.
      legacyPackages = forEach library;

      overlays = {
        # The same as `pkgs.lamina`, made of the packages of that set.
        default = final: prev: { lamina = withPackages final; };
        # And Lamina's dockerTools in the place of nixpkgs'.
        dockerTools = final: prev: { inherit (withPackages final) dockerTools; };
      };

      packages = forEach (system: rec { inherit (library system) lamina; default = lamina; });

      apps = forEach (system: rec {
        lamina = {
          type = "app";
          program = "${(library system).lamina}/bin/lamina";
          meta.description = "Build, load, inspect and verify container images";
        };
        default = lamina;
      });

      # Images of several kinds; their builds are the check.
      checks = forEach (system: {
        inherit (library system) lamina;
        inherit ((library system).examples) hello layered scripted;
      });

      devShells = forEach (system: { default = import ./shell.nix { pkgs = nixpkgs.legacyPackages.${system}; }; });
    };
}
