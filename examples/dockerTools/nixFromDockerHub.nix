# An image out of a registry: nixpkgs' is nix 2.2.1 of Docker Hub, and so is this one where no other is given.
{ dockerTools, pulled, ... }:
dockerTools.pullImage pulled
