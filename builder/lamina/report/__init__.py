"""Reports on images: descriptions and verification."""
