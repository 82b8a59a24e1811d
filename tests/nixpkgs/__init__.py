"""nixpkgs' own tests of dockerTools, on its examples as Lamina builds them (examples/dockerTools), in a real Docker."""
