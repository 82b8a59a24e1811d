"""The tests: units and properties of the builder, real nix-builds, real consumers, replays of those that cannot run."""
