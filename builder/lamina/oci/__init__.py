"""The documents of images: digests, references, configs, manifests, strict JSON. Imports from no other district."""
