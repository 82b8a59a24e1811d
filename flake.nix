{
  description = "Lamina: container images from Nix store paths";

  inputs.nixpkgs.url = "nixpkgs";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" ];
      forEach = make: builtins.listToAttrs (map (system: { name = system; value = make system; }) systems);
      library = system: import ./. { inherit system; pkgs = nixpkgs.legacyPackages.${system}; };
    in
    {
      # Everything that default.nix has, so that `nix build .#examples.redis` and `nix run .#examples.hello.load` work.
      legacyPackages = forEach library;

      # The same as `pkgs.lamina`, made of the packages of that set.
      overlays.default = final: prev: { lamina = import ./. { pkgs = final; }; };

      packages = forEach (system: rec { inherit (library system) lamina; default = lamina; });
      apps = forEach (system: {
        default = { type = "app"; program = "${(library system).lamina}/bin/lamina"; };
      });
      devShells = forEach (system: { default = import ./shell.nix { pkgs = nixpkgs.legacyPackages.${system}; }; });
    };
}
