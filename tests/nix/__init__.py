"""Real nix-builds, in the sandbox."""
