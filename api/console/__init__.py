"""The web pages, rendered here and served with everything they need: no script or font from elsewhere."""
