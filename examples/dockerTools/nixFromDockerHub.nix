# An image from a registry. Without other arguments it is nix 2.2.1 of Docker Hub, as in nixpkgs.
{ dockerTools, pulled, ... }:
dockerTools.pullImage pulled
