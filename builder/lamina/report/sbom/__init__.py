"""Bills of materials: what an image contains, as CycloneDX and SPDX documents."""
