{
  outputs = { self }: {
    legacyPackages = builtins.listToAttrs (map (system: { name = system; value = import ./. { inherit system; }; })
      [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ]);
  };
}
