"""The starter towers: small picture and sound encoders trained into the space of a frozen text model."""
