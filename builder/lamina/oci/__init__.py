"""The documents of images: digests, references, configs, manifests, strict JSON. It imports only from the root."""
