"""What the training half and the serving half of Hilum share; light to import."""

__version__ = "0.1.0"
